-- run: emit
-- expect: error: id can't be set
rule "hostile" {
	on = { type = "order.placed" },
	emit = function(event)
		return { type = "x", id = "1" }
	end,
}
