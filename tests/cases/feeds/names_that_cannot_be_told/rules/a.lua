projection "totals" {
  on   = { type = "order.placed", topic = "orders" },
  key  = "data.customer",
  fold = function(state, event) return event.data end,
}
rule "all-topics" {
  on   = { type = "x" },
  when = function(event) return view(event.data.view, event.subject) end,
}
rule "no-by" {
  on   = { type = "x", topic = "orders" },
  when = function(event) return view(event.data.view, event.subject) end,
}
rule "right" {
  by   = "data.customer",
  on   = { type = "x", topic = "orders" },
  when = function(event) return view(event.data.view, event.subject) end,
}
