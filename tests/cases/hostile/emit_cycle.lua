-- run: emit
-- expect: error: occurs twice
rule "hostile" {
	on = { type = "order.placed" },
	emit = function(event)
		local t = {}
		t.t = t
		return { type = "x", data = t }
	end,
}
