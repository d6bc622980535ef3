-- run: any
-- expect: error: too many instructions
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		return string.match(string.rep("a", 300), string.rep("a*", 30) .. "b")
	end,
}
