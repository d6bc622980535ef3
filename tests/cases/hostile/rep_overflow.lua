-- run: any
-- expect: error: resulting string too large
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		return ("xy"):rep(math.maxinteger)
	end,
}
