-- run: load
-- expect: load: '_ENV' can't be used
local _ENV = { rule = rule }
rule "x" { on = { type = "x" } }
