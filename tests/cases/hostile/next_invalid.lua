-- run: guard
-- expect: ok: yes
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		return next({ b = 1 }, "a") == "b" and next({}, "x") == nil
	end,
}
