-- run: guard
-- expect: load: 'collectgarbage' is not offered
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		return collectgarbage("return 1")
	end,
}
