-- run: emit
-- expect: error: too many events
rule "hostile" {
	on = { type = "order.placed" },
	emit = function(event)
		local t = {}
		for i = 1, 2000 do t[i] = { type = "x" } end
		return t
	end,
}
