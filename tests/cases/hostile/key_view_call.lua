-- run: key
-- expect: error: key can't call view
projection "hostile" {
	on = { type = "order.placed" },
	key = function(event)
		return view("ok", "c")
	end,
	fold = function(state) return state end,
}
