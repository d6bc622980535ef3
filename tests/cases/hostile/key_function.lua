-- run: key
-- expect: error: can't be a key
projection "hostile" {
	on = { type = "order.placed" },
	key = function(event)
		return function() end
	end,
	fold = function(state) return state end,
}
