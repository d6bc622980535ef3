-- run: guard
-- expect: load: is no projection of this app
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		return view("nope", 1)
	end,
}
