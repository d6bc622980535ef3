-- run: guard
-- expect: ok: yes
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		local depth = 0
		local function f()
			depth = depth + 1
			return pcall(f)
		end
		return f() and depth > 10 and depth < 250
	end,
}
