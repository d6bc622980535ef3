-- run: call
-- expect: error: can't be changed
local cache = {}
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		cache.last = event.id
		return true
	end,
}
