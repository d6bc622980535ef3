-- run: fold
-- expect: error: not UTF-8
projection "hostile" {
	on = { type = "order.placed" },
	key = "data.customer",
	init = {},
	fold = function(state, event)
		state["\xff"] = 1
		return state
	end,
}
