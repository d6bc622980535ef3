-- run: fold
-- expect: error: fold can't call view
projection "hostile" {
	on = { type = "order.placed" },
	key = "data.customer",
	init = {},
	fold = function(state, event)
		return view("ok", "c")
	end,
}
