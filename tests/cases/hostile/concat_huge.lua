-- run: any
-- expect: error: resulting string too large
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		local s, t = string.rep("x", 1000000), {}
		for i = 1, 100 do t[i] = s end
		return table.concat(t)
	end,
}
