-- run: any
-- expect: error: invalid format
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		return string.format("%.999999f", 1)
	end,
}
