-- run: any
-- expect: error: base out of range
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		return tonumber("1", 99)
	end,
}
