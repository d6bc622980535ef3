-- run: fold
-- expect: error: is a list with holes
projection "hostile" {
	on = { type = "order.placed" },
	key = "data.customer",
	init = {},
	fold = function(state, event)
		state.list = { 1, nil, 3 }
		return state
	end,
}
