local money = require "money"
local limits = { FR = 1000, DE = 2000 }
rule "a" {
  by = "data.customer",
  on = { topic = { "orders", "events" }, type = prefix "order.", data = { total = { numeric(">", 5), 3 }, any_of { { a = 1 }, { b = exists(false) } } } },
  when = function(event) return money.add(event.data.total, 1) > (limits[event.data.country] or 0) end,
  call = { "f", "g" },
  on_error = "halt",
}
rule "b" { on = eventbridge [[ {"detail-type": ["x"], "detail": {"a": [{"anything-but": "b"}]}} ]] }
projection "p" {
  version = 3,
  on = { type = { "x", ignore_case "Y" }, data = { z = null, w = anything_but(prefix "q") } },
  key = function(event) return event.data.key end,
  fold = function(state, event) return event.data end,
  on_error = "skip",
}
