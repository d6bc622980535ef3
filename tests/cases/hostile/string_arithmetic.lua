-- run: any
-- expect: error: attempt to perform arithmetic on a string
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		return "10" + 1
	end,
}
