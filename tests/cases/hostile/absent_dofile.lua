-- run: guard
-- expect: load: 'dofile' is not offered
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		return dofile("return 1")
	end,
}
