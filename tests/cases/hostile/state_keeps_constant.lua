-- run: fold
-- expect: ok: {"a":{"x":1},"b":{"x":1}}
local constant = { x = 1 }
projection "hostile" {
	on = { type = "order.placed" },
	key = "data.customer",
	init = {},
	fold = function(state, event)
		state.a, state.b = constant, constant
		return state
	end,
}
