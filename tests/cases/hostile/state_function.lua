-- run: fold
-- expect: error: is a function
projection "hostile" {
	on = { type = "order.placed" },
	key = "data.customer",
	init = {},
	fold = function(state, event)
		state.f = function() end
		return state
	end,
}
