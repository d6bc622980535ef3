rule "all" {
  on   = { type = { "order.placed", "dalamb.function.failed" } },
  emit = function(event) return { type = "seen", data = { totals = "totals" } } end,
}
projection "totals" {
  on   = { type = "order.placed", topic = "orders" },
  key  = "data.customer",
  fold = function(state, event) return event.data end,
}
