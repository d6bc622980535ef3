-- run: emit
-- expect: error: types that begin with dalamb.
rule "hostile" {
	on = { type = "order.placed" },
	emit = function(event)
		return { type = "dalamb.function.succeeded" }
	end,
}
