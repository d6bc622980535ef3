-- run: any
-- expect: error: resulting string too large
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		local t, s = {}, string.rep("x", 1 << 18)
		for i = 1, 50 do t[i] = "" end
		return table.concat(t, s)
	end,
}
