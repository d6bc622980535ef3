-- run: any
-- expect: limit
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		while true do
			pcall(function()
				local s = "x"
				while true do s = s .. s end
			end)
		end
	end,
}
