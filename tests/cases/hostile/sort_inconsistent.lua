-- run: guard
-- expect: ok: yes
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		local t = {}
		for i = 1, 500 do t[i] = i % 7 end
		table.sort(t, function() return true end)
		table.sort(t, function(a, b) return a ~= b end)
		return #t == 500
	end,
}
