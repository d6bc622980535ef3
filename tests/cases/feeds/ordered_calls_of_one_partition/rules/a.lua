rule "two" { on = { type = "a", topic = { "orders", "clicks" } }, call = "by-customer" }
rule "chained" { on = { type = "dalamb.function.succeeded" }, call = "by-subject" }
