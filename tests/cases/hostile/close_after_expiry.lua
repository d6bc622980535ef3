-- run: any
-- expect: error: variable 'x' got a non-closable value
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		local x <close> = {}
		while true do end
	end,
}
