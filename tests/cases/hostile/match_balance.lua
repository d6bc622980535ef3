-- run: any
-- expect: error: too many instructions
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		local s = string.rep("(", 200000)
		for i = 1, 1000 do s:find("%b()") end
	end,
}
