local nothing = require "mony"
rule "b" { on = { type = "x" } }
