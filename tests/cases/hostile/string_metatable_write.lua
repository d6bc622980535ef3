-- run: any
-- expect: error: attempt to index a string
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		("x").rep = nil
	end,
}
