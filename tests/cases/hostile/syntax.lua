-- run: load
-- expect: load: unexpected symbol
rule "x" { on = } }
