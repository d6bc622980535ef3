-- run: any
-- expect: error: has no order
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		for k in pairs({ [{}] = 1, [{}] = 2 }) do end
	end,
}
