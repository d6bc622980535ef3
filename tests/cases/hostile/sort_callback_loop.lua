-- run: any
-- expect: error: too many instructions
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		table.sort({ 3, 2, 1 }, function() while true do end end)
	end,
}
