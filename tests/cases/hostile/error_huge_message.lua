-- run: any
-- expect: error: xxxx
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		error(string.rep("x", 1 << 20))
	end,
}
