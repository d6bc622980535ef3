-- run: any
-- expect: error: too many results to unpack
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		return table.unpack({}, 1, 1000000)
	end,
}
