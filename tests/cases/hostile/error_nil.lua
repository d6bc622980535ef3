-- run: any
-- expect: error: nil
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		error(nil)
	end,
}
