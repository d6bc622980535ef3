-- run: call
-- expect: error: is for patterns
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		return prefix "x"
	end,
}
