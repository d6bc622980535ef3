-- run: emit
-- expect: error: too large
rule "hostile" {
	on = { type = "order.placed" },
	emit = function(event)
		return { type = "x", data = { string.rep("x", 1000000), string.rep("y", 1000000) } }
	end,
}
