-- run: any
-- expect: error: resulting string too large
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		local s = string.rep("x", 1 << 10)
		return s:gsub(".", string.rep("y", 1 << 12))
	end,
}
