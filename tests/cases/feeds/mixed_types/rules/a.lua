projection "all" {
  on   = { type = { "order.placed", "dalamb.function.failed" } },
  key  = "subject",
  fold = function(state, event) return event.data end,
}
