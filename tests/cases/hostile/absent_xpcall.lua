-- run: guard
-- expect: load: 'xpcall' is not offered
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		return xpcall("return 1")
	end,
}
