-- run: guard
-- expect: error: a view can't be changed
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		table.insert(view("ok", "c").list, 5)
	end,
}
