-- run: fold
-- expect: error: is not UTF-8
projection "hostile" {
	on = { type = "order.placed" },
	key = "data.customer",
	init = {},
	fold = function(state, event)
		state.x = "\xff"
		return state
	end,
}
