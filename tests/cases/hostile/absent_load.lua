-- run: guard
-- expect: load: 'load' is not offered
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		return load("return 1")
	end,
}
