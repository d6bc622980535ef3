-- run: guard
-- expect: load: changes the global 'counter'
counter = 0
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		counter = (counter or 0) + 1
		return true
	end,
}
