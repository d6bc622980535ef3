-- run: any
-- expect: error: can't be changed
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		string.rep = nil
	end,
}
