-- run: fold
-- expect: error: both named and numbered
projection "hostile" {
	on = { type = "order.placed" },
	key = "data.customer",
	init = {},
	fold = function(state, event)
		state.list = { 1, x = 2 }
		return state
	end,
}
