-- run: guard
-- expect: load: 'rawequal' is not offered
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		return rawequal("return 1")
	end,
}
