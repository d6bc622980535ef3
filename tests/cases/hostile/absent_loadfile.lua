-- run: guard
-- expect: load: 'loadfile' is not offered
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		return loadfile("return 1")
	end,
}
