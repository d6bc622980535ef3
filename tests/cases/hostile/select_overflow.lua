-- run: any
-- expect: error: index out of range
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		return select(math.mininteger, 1)
	end,
}
