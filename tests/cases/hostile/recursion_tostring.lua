-- run: guard
-- expect: ok: no
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		return tostring({}) ~= "table"
	end,
}
