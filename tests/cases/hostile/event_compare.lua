-- run: any
-- expect: error: attempt to compare
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		return event < event
	end,
}
