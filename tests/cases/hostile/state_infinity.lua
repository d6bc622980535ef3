-- run: fold
-- expect: error: state.x: is not a finite number
projection "hostile" {
	on = { type = "order.placed" },
	key = "data.customer",
	init = {},
	fold = function(state, event)
		state.x = math.huge
		return state
	end,
}
