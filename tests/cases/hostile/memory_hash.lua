-- run: any
-- expect: limit
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		local t = {}
		for i = 1, math.maxinteger do t["k" .. i] = i end
	end,
}
