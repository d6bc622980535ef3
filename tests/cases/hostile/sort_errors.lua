-- run: any
-- expect: error: stop
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		table.sort({ 2, 1 }, function() error("stop") end)
	end,
}
