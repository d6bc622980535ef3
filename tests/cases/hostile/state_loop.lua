-- run: fold
-- expect: error: too many instructions
projection "hostile" {
	on = { type = "order.placed" },
	key = "data.customer",
	init = {},
	fold = function(state, event)
		while true do state.n = (state.n or 0) + 1 end
	end,
}
