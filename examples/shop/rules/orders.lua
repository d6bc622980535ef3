-- Large orders from some countries are checked, if they are unusual for their customer.
rule "large-order" {
  on   = { type = "order.placed",
           data = { total = numeric(">=", 1000), country = { "FR", "DE" }, sku = prefix "A-" } },
  when = function(event)
    local customer = view("customer-totals", event.data.customer)
    return not customer or event.data.total > 2 * customer.average
  end,
  call = "fraud-check",
}

-- What the check found comes back as an event: a risky order is flagged by another one.
rule "flag" {
  on   = { type = "dalamb.function.succeeded",
           data = { name = "fraud-check", result = { risk = numeric(">", 0.8) } } },
  emit = function(event)
    return {
      type    = "order.flagged",
      subject = event.subject,
      data    = { order = event.data.result.order, risk = event.data.result.risk },
    }
  end,
}
