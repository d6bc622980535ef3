-- run: emit
-- expect: error: is no name of an attribute
rule "hostile" {
	on = { type = "order.placed" },
	emit = function(event)
		return { type = "x", ["no-good"] = 1 }
	end,
}
