-- run: any
-- expect: error: too many instructions
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		local s = string.rep("a", 1 << 20)
		for i = 1, 1000000 do s:find("ab", 1, true) end
	end,
}
