-- run: any
-- expect: error: pattern too complex
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		return string.find(string.rep("a", 1000), string.rep("a?", 1000) .. "b")
	end,
}
