-- run: any
-- expect: error: attempt to
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		local zero = 0
		return 1 // zero
	end,
}
