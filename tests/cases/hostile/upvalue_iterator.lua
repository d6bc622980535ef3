-- run: guard
-- expect: load: iterators are made and used within one call
local it = string.gmatch("a b c", "%a")
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		return it() == "a"
	end,
}
