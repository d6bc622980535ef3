-- run: call
-- expect: error: can't be changed
local list = {}
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		table.insert(list, event.id)
		return true
	end,
}
