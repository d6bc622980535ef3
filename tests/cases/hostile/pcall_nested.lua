-- run: any
-- expect: error: too many instructions
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		local function f() pcall(f) while true do end end
		f()
	end,
}
