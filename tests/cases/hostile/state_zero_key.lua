-- run: fold
-- expect: error: keys are strings
projection "hostile" {
	on = { type = "order.placed" },
	key = "data.customer",
	init = {},
	fold = function(state, event)
		state[0] = 1
		return state
	end,
}
