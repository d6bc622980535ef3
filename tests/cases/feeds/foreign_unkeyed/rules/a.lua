projection "totals" {
  on   = { type = "order.placed", topic = "shop.orders" },
  key  = "data.customer",
  fold = function(state, event) return event.data end,
}
