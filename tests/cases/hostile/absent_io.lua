-- run: guard
-- expect: load: 'io' is not offered
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		return io.open("/etc/passwd")
	end,
}
