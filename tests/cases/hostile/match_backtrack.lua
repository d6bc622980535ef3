-- run: any
-- expect: error: too many instructions
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		return string.find(string.rep("a", 5000), ".-.-.-.-.-b")
	end,
}
