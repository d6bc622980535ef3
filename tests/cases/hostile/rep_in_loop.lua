-- run: any
-- expect: error: too many instructions
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		for i = 1, math.maxinteger do local s = ("x"):rep(1 << 10) end
	end,
}
