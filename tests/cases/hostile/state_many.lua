-- run: fold
-- expect: error: too large
projection "hostile" {
	on = { type = "order.placed" },
	key = "data.customer",
	init = {},
	fold = function(state, event)
		for i = 1, 60000 do state[i] = "0123456789abcdef" .. i end
		return state
	end,
}
