-- run: fold
-- expect: ok: ["x",{"y":1.5},{}]
projection "hostile" {
	on = { type = "order.placed" },
	key = "data.customer",
	init = {},
	fold = function(state, event)
		return event.data.tags
	end,
}
