-- run: guard
-- expect: error: can't be changed
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		local c = view("ok", "c")
		c.deep.n = 5
	end,
}
