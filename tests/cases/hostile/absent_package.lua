-- run: guard
-- expect: load: 'package' is not offered
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		return package.loaded
	end,
}
