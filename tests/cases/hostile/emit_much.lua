-- run: emit
-- expect: error: too much
rule "hostile" {
	on = { type = "order.placed" },
	emit = function(event)
		local s, t = string.rep("x", 1000000), {}
		for i = 1, 100 do t[i] = { type = "x", data = s } end
		return t
	end,
}
