-- run: any
-- expect: error: here
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		error("here", 1 << 30)
	end,
}
