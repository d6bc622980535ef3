-- run: emit
-- expect: error: an event is a table
rule "hostile" {
	on = { type = "order.placed" },
	emit = function(event)
		return "order.flagged"
	end,
}
