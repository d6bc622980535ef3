projection "totals" {
  on   = { type = "order.placed", topic = "events" },
  key  = "data.customer",
  fold = function(state, event) return event.data end,
}
rule "large" {
  on   = { type = "order.placed", topic = "events" },
  when = function(event) return view("totals", event.data.customer) ~= nil end,
}
