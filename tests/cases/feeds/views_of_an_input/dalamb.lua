log { kind = "kafka", brokers = "127.0.0.1:9092", topics = { orders = { key = "data.customer" }, clicks = { key = "data.user" } } }
func "check" {
  command = "true",
  input   = function(event) return view("totals", event.subject) end,
}
