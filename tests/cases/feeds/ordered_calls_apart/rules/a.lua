rule "keyed-otherwise" { on = { type = "a", topic = "orders" }, call = "by-subject" }
rule "unkeyed" { on = { type = "a", topic = "clicks" }, call = "by-customer" }
rule "unkeyed-foreign" { on = { type = "a", topic = "clicks" }, call = "by-subject" }
rule "own" { on = { type = "a", topic = "events" }, call = "by-customer" }
rule "two" { on = { type = "a", topic = { "orders", "clicks" } }, call = "by-customer" }
rule "chained" { on = { type = "dalamb.function.succeeded" }, call = "by-subject" }
