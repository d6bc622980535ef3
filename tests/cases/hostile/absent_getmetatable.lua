-- run: guard
-- expect: load: 'getmetatable' is not offered
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		return getmetatable("return 1")
	end,
}
