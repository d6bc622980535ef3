-- run: call
-- expect: error: can't be changed
seen = {}
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		seen[event.id] = true
		return true
	end,
}
