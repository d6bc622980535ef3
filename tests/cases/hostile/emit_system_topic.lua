-- run: emit
-- expect: error: the topic system is dalamb's own
rule "hostile" {
	on = { type = "order.placed" },
	emit = function(event)
		return { type = "x", topic = "system" }
	end,
}
