-- run: fold
-- expect: error: NUL
projection "hostile" {
	on = { type = "order.placed" },
	key = "data.customer",
	init = {},
	fold = function(state, event)
		state["a\0b"] = 1
		return state
	end,
}
