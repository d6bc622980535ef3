-- run: emit
-- expect: error: attributes that begin with dalamb
rule "hostile" {
	on = { type = "order.placed" },
	emit = function(event)
		return { type = "x", dalambhops = 0 }
	end,
}
