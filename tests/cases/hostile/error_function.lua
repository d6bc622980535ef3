-- run: any
-- expect: error: function
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		error(function() end)
	end,
}
