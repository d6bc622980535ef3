-- run: any
-- expect: error: the message field
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		error({ message = "the message field" })
	end,
}
