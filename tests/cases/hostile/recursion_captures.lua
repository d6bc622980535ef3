-- run: any
-- expect: error: too many captures
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		return string.find("x", string.rep("()", 100))
	end,
}
