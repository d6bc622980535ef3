-- run: any
-- expect: error: too large
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		local t = {}
		for i = 1, 20 do t[i] = string.rep("x", 100000) end
		return json.encode(t)
	end,
}
