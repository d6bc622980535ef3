-- run: guard
-- expect: ok: yes
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		return ("x").dump == nil and ("x").format ~= nil
	end,
}
