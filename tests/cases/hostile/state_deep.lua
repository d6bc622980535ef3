-- run: fold
-- expect: error: nested too deep
projection "hostile" {
	on = { type = "order.placed" },
	key = "data.customer",
	init = {},
	fold = function(state, event)
		local at = state
		for i = 1, 100 do
			at.x = {}
			at = at.x
		end
		return state
	end,
}
