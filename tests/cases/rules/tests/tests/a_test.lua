test "a" {
  given = { view("q", "k", {}), call("f") },
  events = {},
  expect = { call(), 5, no_emit() },
}
test "b" { events = "x.ndjson" }
rule "c" { on = { type = "x" } }
