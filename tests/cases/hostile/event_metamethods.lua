-- run: any
-- expect: error: attempt to call a
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		return event()
	end,
}
