projection "totals" {
  on   = { type = "order.placed" },
  key  = "data.customer",
  fold = function(state, event) return event.data end,
}
