-- run: any
-- expect: error: resulting string too large
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		local s = "x"
		for i = 1, 20 do s = s:rep(100) end
	end,
}
