-- run: emit
-- expect: error: is not UTF-8
rule "hostile" {
	on = { type = "order.placed" },
	emit = function(event)
		return { type = "x", subject = "\xff" }
	end,
}
