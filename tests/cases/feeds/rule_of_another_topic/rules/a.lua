projection "totals" {
  on   = { type = "order.placed", topic = "orders" },
  key  = "data.customer",
  fold = function(state, event) return event.data end,
}
rule "large" {
  on   = { type = "order.placed", topic = "clicks" },
  by   = "data.customer",
  when = function(event) return view("totals", event.data.customer) ~= nil end,
}
