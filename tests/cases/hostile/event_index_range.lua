-- run: guard
-- expect: ok: yes
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		local t = event.data.tags
		return t[0] == nil and t[-1] == nil and t[4] == nil and t[math.maxinteger] == nil and t[1.5] == nil and t[{}] == nil
	end,
}
