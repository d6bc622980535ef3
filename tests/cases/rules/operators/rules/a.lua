rule "a" { on = { type = wildcard "a**b" } }
rule "b" {
  on = {
    type = "x",
    data = {
      total = numeric(">", 5, "<", 3),
    },
  },
}
rule "c" { on = { type = matches "a+" } }
rule "d" { on = { type = {} } }
rule "e" { on = { any_of { 1, 2 } } }
rule "f" { on = { type = prefix(5) } }
rule "g" { on = eventbridge [[ {"detail-type": "x"} ]] }
rule "h" { on = { data = { x = { 1, y = 2 } } } }
rule "i" { on = { topic = "No Good", type = "x" } }
rule "j" { on = { type = exists() } }
