-- run: any
-- expect: error: json.decode:
rule "hostile" {
	on = { type = "order.placed" },
	when = function(event)
		return json.decode(string.rep("[", 100000))
	end,
}
