-- run: call
-- expect: error: event
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		error(event)
	end,
}
