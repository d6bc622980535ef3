-- run: any
-- expect: error: invalid conversion '%p'
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		return string.format("%p", {})
	end,
}
