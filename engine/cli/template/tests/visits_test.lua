test "a newcomer is greeted" {
  events = { { type = "visit.registered", data = { name = "Ada" }, time = "2026-01-01T10:00:00Z" } },
  expect = {
    call("greet", { name = "Ada" }),
    view("visits", "Ada", { count = 1, last = "2026-01-01T10:00:00Z" }),
  },
}

test "who was here before is not" {
  given  = { view("visits", "Ada", { count = 3, last = "2025-12-24T18:00:00Z" }) },
  events = { { type = "visit.registered", data = { name = "Ada" } } },
  expect = { no_call("greet") },
}

test "the greeting becomes an event" {
  events = {
    { type = "dalamb.function.succeeded", subject = "Ada",
      data = { name = "greet", result = { greeting = "Hello, Ada!" } } },
  },
  expect = { emit("visitor.greeted", { subject = "Ada", data = { greeting = "Hello, Ada!" } }) },
}
