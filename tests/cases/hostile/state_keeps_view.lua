-- run: fold
-- expect: ok: {"e":{"customer":"c1","tags":["x",{"y":1.5},{}],"total":1200}}
projection "hostile" {
	on = { type = "order.placed" },
	key = "data.customer",
	init = {},
	fold = function(state, event)
		state.e = event.data
		return state
	end,
}
