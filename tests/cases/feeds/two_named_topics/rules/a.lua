projection "totals" {
  on   = { type = "order.placed", topic = { "orders", "clicks" } },
  key  = "data.customer",
  fold = function(state, event) return event.data end,
}
