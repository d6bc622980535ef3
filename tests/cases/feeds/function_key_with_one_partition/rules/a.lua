projection "totals" {
  on   = { type = "order.placed" },
  key  = function(event) return { event.data.customer, event.subject } end,
  fold = function(state, event) return event.data end,
}
rule "large" {
  on   = { type = "order.placed" },
  when = function(event) return view("totals", event.data.customer) ~= nil end,
}
