-- run: any
-- expect: error: position out of bounds
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		table.remove({}, 5)
	end,
}
