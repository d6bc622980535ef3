-- run: any
-- expect: error: malformed pattern
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		return string.find("a", "%")
	end,
}
