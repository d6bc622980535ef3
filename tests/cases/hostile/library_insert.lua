-- run: any
-- expect: error: can't be changed
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		table.insert(string, 1)
	end,
}
