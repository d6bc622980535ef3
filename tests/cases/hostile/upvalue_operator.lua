-- run: guard
-- expect: load: for declarations only
local op = prefix "x"
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		return op == nil
	end,
}
