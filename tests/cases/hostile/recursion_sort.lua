-- run: any
-- expect: error: C stack overflow
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		local function f() table.sort({ 2, 1 }, f) end
		f()
	end,
}
