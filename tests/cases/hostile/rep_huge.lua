-- run: any
-- expect: error: resulting string too large
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		return string.rep("x", 1 << 40)
	end,
}
