-- run: any
-- expect: error: too many values
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		return ("x"):rep(1000000):byte(1, -1)
	end,
}
