-- run: guard
-- expect: load: 'coroutine' is not offered
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		return coroutine.wrap(print)
	end,
}
