-- run: call
-- expect: error: can't be changed
local cache = { a = { b = {} } }
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		cache.a.b.c = event.id
		return true
	end,
}
