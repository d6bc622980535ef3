-- run: any
-- expect: error: occurs twice
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		local t = { a = {} }
		t.a.back = t
		return json.encode(t)
	end,
}
