-- run: any
-- expect: error: no value
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		return string.format("%s%s", 1)
	end,
}
