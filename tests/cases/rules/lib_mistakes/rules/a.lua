local money = require "money"
rule "a" { on = { type = "x" } }
