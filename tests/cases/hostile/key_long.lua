-- run: key
-- expect: error: too long
projection "hostile" {
	on = { type = "order.placed" },
	key = function(event)
		return string.rep("x", 2000)
	end,
	fold = function(state) return state end,
}
