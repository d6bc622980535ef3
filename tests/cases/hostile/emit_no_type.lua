-- run: emit
-- expect: error: type is missing
rule "hostile" {
	on = { type = "order.placed" },
	emit = function(event)
		return { data = 1 }
	end,
}
