-- run: any
-- expect: error: table
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		error({ 1, 2, 3 })
	end,
}
