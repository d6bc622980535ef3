projection "totals" {
  on   = { type = "order.placed" },
  key  = "data.customer",
  fold = function(state, event) return event.data end,
}
rule "large" {
  on   = { type = "order.placed" },
  when = function(event) return view("totals", event.data.customer) ~= nil end,
}
projection "failures" {
  on   = { type = "dalamb.function.failed" },
  key  = "data.name",
  fold = function(state, event) return event.data end,
}
rule "often" {
  on   = { type = prefix "dalamb.function." },
  when = function(event) return view("failures", event.data.name) ~= nil end,
}
