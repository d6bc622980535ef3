-- run: guard
-- expect: error: is no projection of this app
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		local name = "nope"
		return view(name, 1)
	end,
}
