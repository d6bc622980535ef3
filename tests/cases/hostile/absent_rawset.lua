-- run: guard
-- expect: load: 'rawset' is not offered
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		return rawset("return 1")
	end,
}
