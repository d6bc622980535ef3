-- run: guard
-- expect: load: 'rawget' is not offered
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		return rawget("return 1")
	end,
}
