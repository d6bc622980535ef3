-- run: call
-- expect: error: can't be changed
local list = { 2, 1 }
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		table.remove(list)
		return true
	end,
}
