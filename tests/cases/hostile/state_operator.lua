-- run: fold
-- expect: load: for declarations only
local op = prefix "x"
projection "hostile" {
	on = { type = "order.placed" },
	key = "data.customer",
	init = {},
	fold = function(state, event)
		state.x = op
		return state
	end,
}
