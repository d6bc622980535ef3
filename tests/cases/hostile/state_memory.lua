-- run: fold
-- expect: limit
projection "hostile" {
	on = { type = "order.placed" },
	key = "data.customer",
	init = {},
	fold = function(state, event)
		for i = 1, math.maxinteger do state[i] = "x" .. i end
	end,
}
