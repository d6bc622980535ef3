rule "fits" { on = { type = "a", topic = "orders" }, call = "by-customer" }
rule "own" { on = { type = "a", topic = "events" }, call = "by-subject" }
rule "none" { on = { type = "a", topic = { "orders", "clicks" } }, call = "in-no-order" }
rule "chained" { on = { type = "dalamb.function.succeeded" }, call = "in-no-order" }
