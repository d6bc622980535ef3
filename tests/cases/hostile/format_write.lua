-- run: any
-- expect: error: invalid conversion '%n'
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		return string.format("%n", 1)
	end,
}
