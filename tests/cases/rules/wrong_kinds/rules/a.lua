rule "r" {
  by = 5,
  on = "order.placed",
  when = true,
  call = { 1 },
  emit = "x",
  on_error = "park",
}
projection "p" {
  version = "2",
  on = { type = "x" },
  key = {},
  init = { x = 0/0 },
  fold = "f",
  on_error = "ignore",
}
