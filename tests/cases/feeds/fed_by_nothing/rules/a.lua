projection "never" {
  on   = { type = "dalamb.function.failed", topic = "orders" },
  key  = "subject",
  fold = function(state, event) return event.data end,
}
projection "totals" {
  on   = { type = "order.placed", topic = "orders" },
  key  = "data.customer",
  fold = function(state, event) return event.data end,
}
rule "system-as-a-topic" {
  on   = { type = "order.placed", topic = "system" },
  when = function(event) return view("totals", event.subject) ~= nil end,
}
