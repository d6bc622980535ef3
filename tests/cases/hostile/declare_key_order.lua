-- run: load
-- expect: load: a value without a field name
rule "x" { on = { type = "x" }, [{}] = 1 }
