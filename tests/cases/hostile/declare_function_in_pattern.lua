-- run: load
-- expect: load: a function can't be part of a pattern
rule "x" { on = { type = function() end } }
