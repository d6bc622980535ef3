-- run: load
-- expect: load: nested too deep
local t = { type = "x" }
t.data = t
rule "x" { on = t }
