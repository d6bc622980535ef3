-- run: emit
-- expect: error: more than 32 bits
rule "hostile" {
	on = { type = "order.placed" },
	emit = function(event)
		return { type = "x", level = 1 << 40 }
	end,
}
