-- run: guard
-- expect: load: changes 'counter'
local counter = 0
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		counter = counter + 1
		return counter == 1
	end,
}
