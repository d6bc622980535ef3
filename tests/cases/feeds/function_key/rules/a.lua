projection "totals" {
  on   = { type = "order.placed" },
  key  = function(event) return event.data.customer end,
  fold = function(state, event) return event.data end,
}
