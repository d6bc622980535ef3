projection "totals" {
  on   = { type = "order.placed", topic = "orders" },
  key  = "data.customer",
  fold = function(state, event) return event.data end,
}
rule "large" {
  on   = { type = "order.placed", topic = "orders" },
  when = function(event) return view("totals", event.data.customer) ~= nil end,
}
