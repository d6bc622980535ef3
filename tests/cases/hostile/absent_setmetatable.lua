-- run: guard
-- expect: load: 'setmetatable' is not offered
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		return setmetatable("return 1")
	end,
}
