-- run: any
-- expect: error: resulting string too large
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		local s = string.rep("x", 1 << 19)
		return string.format("%s%s%s", s, s, s)
	end,
}
