rule "a" { on = { type = "x" } }
local t = nil
t.x = 1
rule "b" { on = { tpe = "x" }, cal = "f" }
