-- run: call
-- expect: error: an event can't be changed
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		event.type = "x"
	end,
}
