-- run: load
-- expect: load: a name is 1 to 64
rule "../x" { on = { type = "x" } }
