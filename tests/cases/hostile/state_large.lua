-- run: fold
-- expect: error: too large
projection "hostile" {
	on = { type = "order.placed" },
	key = "data.customer",
	init = {},
	fold = function(state, event)
		for i = 1, 20 do state["k" .. i] = string.rep("x", 100000) end
		return state
	end,
}
