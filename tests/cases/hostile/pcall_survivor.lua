-- run: any
-- expect: error: too many instructions
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		local ok = pcall(function() while true do end end)
		return not ok
	end,
}
