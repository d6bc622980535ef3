-- run: any
-- expect: error: too many instructions
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		local s = "[" .. string.rep("b", 100000) .. "]"
		return string.find(string.rep("a", 100000), s)
	end,
}
