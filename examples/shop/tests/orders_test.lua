test "a large French order is checked" {
  given  = { view("customer-totals", "c1", { orders = 3, total = 300, average = 100 }) },
  events = {
    { type = "order.placed", subject = "o1",
      data = { customer = "c1", total = 1200, country = "FR", sku = "A-1" } },
  },
  expect = {
    call("fraud-check", { customer = "c1", total = 1200 }),
    view("customer-totals", "c1", { orders = 4, total = 1500.0, average = 375.0 }),
  },
}

test "what is usual for a customer is not" {
  given  = { view("customer-totals", "c2", { orders = 2, total = 4000, average = 2000 }) },
  events = {
    { type = "order.placed", subject = "o2",
      data = { customer = "c2", total = 2500, country = "DE", sku = "A-2" } },
  },
  expect = { no_call("fraud-check") },
}

test "an order from elsewhere is not, however large" {
  events = {
    { type = "order.placed", subject = "o3",
      data = { customer = "c3", total = 9000, country = "US", sku = "A-3" } },
  },
  expect = { no_call("fraud-check") },
}

test "a risky answer flags the order" {
  events = {
    { type = "dalamb.function.succeeded", source = "/dalamb/shop", subject = "o1",
      data = { name = "fraud-check", result = { order = "o1", risk = 0.93 } } },
  },
  expect = { emit("order.flagged", { subject = "o1", data = { order = "o1", risk = 0.93 } }) },
}
