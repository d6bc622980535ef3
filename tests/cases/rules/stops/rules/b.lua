rule "c" { on = { type = "x" }, emits = 1 }
