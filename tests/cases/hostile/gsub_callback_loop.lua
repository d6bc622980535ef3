-- run: any
-- expect: error: too many instructions
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		string.gsub("x", ".", function() while true do end end)
	end,
}
