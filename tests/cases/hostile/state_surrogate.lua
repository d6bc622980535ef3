-- run: fold
-- expect: error: is not UTF-8
projection "hostile" {
	on = { type = "order.placed" },
	key = "data.customer",
	init = {},
	fold = function(state, event)
		state.x = "\xed\xa0\x80"
		return state
	end,
}
