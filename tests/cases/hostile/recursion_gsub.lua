-- run: any
-- expect: error: C stack overflow
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		local function f() return (string.gsub("x", ".", f)) end
		f()
	end,
}
