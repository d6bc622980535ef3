-- run: fold
-- expect: error: contains itself
local constant = { x = 1 }
constant.me = constant
projection "hostile" {
	on = { type = "order.placed" },
	key = "data.customer",
	init = {},
	fold = function(state, event)
		state.a = constant
		return state
	end,
}
