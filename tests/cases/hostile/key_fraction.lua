-- run: key
-- expect: error: a number with a fraction
projection "hostile" {
	on = { type = "order.placed" },
	key = function(event)
		return 1.5
	end,
	fold = function(state) return state end,
}
