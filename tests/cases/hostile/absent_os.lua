-- run: guard
-- expect: load: 'os' is not offered
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		return os.exit()
	end,
}
