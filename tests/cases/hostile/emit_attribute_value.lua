-- run: emit
-- expect: error: expected a string
rule "hostile" {
	on = { type = "order.placed" },
	emit = function(event)
		return { type = "x", level = {} }
	end,
}
