-- run: call
-- expect: error: require works while a file is loaded
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		return require "x"
	end,
}
