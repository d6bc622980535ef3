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
rule "k" {
  on = {
    type = "x",
    data = {
      ip = cidr "10.0.0.1",
      at = before "tomorrow",
    },
  },
}
rule "l" { on = { type = matches "(a" } }
rule "m" { on = { data = { tags = all_of {} } } }
rule "n" { on = { data = { tags = all_of { "a", all_of { "b" } } } } }
rule "o" { on = { data = { tags = all_of { "a", exists(false) } } } }
rule "p" { on = { data = { { name = "x" } } } }
rule "q" {
  on = eventbridge [[
{
  "detail": {
    "a": ["x"],
    "b": [{"cidr": "10.0.0.0/33"}]
  }
}
  ]],
}
rule "r" { on = { data = { at = after("2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z") } } }
rule "s" { on = { data = { ip = anything_but(cidr "10.0.0.0/8") } } }
rule "t" { on = { data = { x = all_of("a", { "b", {} }) } } }
