local money = require "money"

-- How much each customer has ordered. Raise the version when the fold changes.
projection "customer-totals" {
  version = 1,
  on   = { type = { "order.placed", "order.cancelled" } },
  key  = "data.customer",
  init = { orders = 0, total = 0, average = 0 },
  fold = function(state, event)
    local sign = event.type == "order.placed" and 1 or -1
    state.orders  = state.orders + sign
    state.total   = money.add(state.total, sign * event.data.total)
    state.average = state.orders > 0 and money.round(state.total / state.orders) or 0
    return state
  end,
}

-- Every order that was flagged, by its id.
projection "flagged-orders" {
  version = 1,
  on   = { type = "order.flagged" },
  key  = "subject",
  fold = function(state, event)
    return { risk = event.data.risk, at = event.time }
  end,
}
