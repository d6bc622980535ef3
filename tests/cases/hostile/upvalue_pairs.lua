-- run: guard
-- expect: load: iterators are made and used within one call
local f = pairs({ a = 1, b = 2 })
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		return f() == "a"
	end,
}
