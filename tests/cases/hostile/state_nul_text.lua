-- run: fold
-- expect: ok: {"x":"a\u0000b"}
projection "hostile" {
	on = { type = "order.placed" },
	key = "data.customer",
	init = {},
	fold = function(state, event)
		state.x = "a\0b"
		return state
	end,
}
