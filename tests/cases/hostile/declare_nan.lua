-- run: load
-- expect: load: a number that is not finite
rule "x" { on = { data = { n = 0 / 0 } } }
