rule "one" {
  on = { type = "x" },
  whn = function(event) return true end,
}
