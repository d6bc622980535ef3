-- run: fold
-- expect: error: occurs twice
projection "hostile" {
	on = { type = "order.placed" },
	key = "data.customer",
	init = {},
	fold = function(state, event)
		state.me = state
		return state
	end,
}
