projection "totals" {
  on   = { type = "order.placed" },
  key  = "subject",
  fold = function(state, event) return event.data end,
}
rule "large" {
  on   = { type = "order.placed" },
  by   = "data.customer",
  when = function(event) return view("totals", event.data.customer) ~= nil end,
}
