-- run: any
-- expect: error: invalid value (a nil) at index
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		return table.concat({}, ",", 1, math.maxinteger)
	end,
}
