-- run: any
-- expect: error: invalid capture index
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		return string.find("a", "%1")
	end,
}
