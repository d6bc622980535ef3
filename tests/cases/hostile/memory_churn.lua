-- run: any
-- expect: limit
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		local s = string.rep("x", 100000)
		for i = 1, math.maxinteger do local t = s .. i end
	end,
}
