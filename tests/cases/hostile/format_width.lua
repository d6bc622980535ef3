-- run: any
-- expect: error: invalid format
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		return string.format("%999999999d", 1)
	end,
}
