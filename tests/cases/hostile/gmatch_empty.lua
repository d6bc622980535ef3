-- run: guard
-- expect: ok: yes
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		local n = 0
		for w in string.gmatch("abc", "") do n = n + 1 end
		return n == 4
	end,
}
