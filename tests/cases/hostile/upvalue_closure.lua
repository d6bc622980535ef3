-- run: guard
-- expect: load: changes 'n'
local function make()
	local n = 0
	return function() n = n + 1 return n end
end
local tick = make()
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		return tick() == 1
	end,
}
