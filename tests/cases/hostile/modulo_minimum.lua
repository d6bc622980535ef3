-- run: guard
-- expect: ok: yes
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		return math.mininteger % -1 == 0 and math.mininteger // -1 == math.mininteger
	end,
}
