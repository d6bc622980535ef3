rule "a" { on = { type = "y" } }
test "t" {}
