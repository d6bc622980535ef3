-- run: key
-- expect: error: too many keys
projection "hostile" {
	on = { type = "order.placed" },
	key = function(event)
		local t = {}
		for i = 1, 2000 do t[i] = i end
		return t
	end,
	fold = function(state) return state end,
}
