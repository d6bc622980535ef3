projection "totals" {
  on   = { type = "order.placed", topic = "orders" },
  key  = "data.customer",
  fold = function(state, event) return event.data end,
}
rule "r" {
  on   = { type = "x", topic = "clicks" },
  call = "check",
}
