projection "totals" {
  on   = { type = "order.placed", topic = "orders" },
  key  = "data.customer",
  fold = function(state, event) return event.data end,
}
projection "clicked" {
  on   = { type = "click", topic = "clicks" },
  key  = "data.user",
  fold = function(state, event) return event.data end,
}
rule "both" {
  by   = "data.customer",
  on   = { type = "x", topic = "orders" },
  when = function(event) return view("totals", event.subject) and view("clicked", event.subject) end,
}
