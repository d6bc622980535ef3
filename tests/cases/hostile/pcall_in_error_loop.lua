-- run: any
-- expect: error: too many instructions
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		while true do pcall(error, {}) end
	end,
}
