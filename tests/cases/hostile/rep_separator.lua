-- run: any
-- expect: error: resulting string too large
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		return string.rep("", 1 << 30, "ab")
	end,
}
