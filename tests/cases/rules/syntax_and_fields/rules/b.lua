rule "two" {
  on = { type = "x" }
  call = "f",
}
