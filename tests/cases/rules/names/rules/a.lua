rule "Big Order" { on = { type = "x" } }
rule "a" { on = { type = "x" } }
rule "" { on = { type = "x" } }
rule { on = { type = "x" } }
rule "late"
