-- run: guard
-- expect: load: 'debug' is not offered
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		return debug.getinfo(1)
	end,
}
