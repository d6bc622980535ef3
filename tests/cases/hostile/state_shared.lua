-- run: fold
-- expect: error: occurs twice
projection "hostile" {
	on = { type = "order.placed" },
	key = "data.customer",
	init = {},
	fold = function(state, event)
		local t = {}
		state.a, state.b = t, t
		return state
	end,
}
