-- run: call
-- expect: error: stand at the top of a file
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		rule "late" { on = { type = "x" } }
	end,
}
