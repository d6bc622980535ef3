-- run: any
-- expect: error: too many results to unpack
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		return table.unpack({}, math.mininteger, math.maxinteger)
	end,
}
