-- run: guard
-- expect: load: changes 'counter'
local counter = 0
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		local function bump() counter = counter + 1 end
		bump()
		return true
	end,
}
