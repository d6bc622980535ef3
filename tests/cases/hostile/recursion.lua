-- run: call
-- expect: limit
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		local function f() return 1 + f() end
		return f()
	end,
}
