-- run: any
-- expect: error: 42
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		error(42)
	end,
}
