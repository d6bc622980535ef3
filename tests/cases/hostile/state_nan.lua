-- run: fold
-- expect: error: state.x: is not a finite number
projection "hostile" {
	on = { type = "order.placed" },
	key = "data.customer",
	init = {},
	fold = function(state, event)
		state.x = 0 / 0
		return state
	end,
}
