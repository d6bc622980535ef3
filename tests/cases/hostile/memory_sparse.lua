-- run: guard
-- expect: ok: yes
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		local t = {}
		t[1 << 60] = 1
		t[-(1 << 60)] = 2
		return t[1 << 60] == 1
	end,
}
