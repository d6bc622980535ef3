log { kind = "kafka", brokers = "127.0.0.1:9092", topics = { orders = { key = "data.customer" }, clicks = {} } }
func "by-subject" { command = "true" }
func "by-customer" { command = "true", order = "data.customer" }
func "in-no-order" { command = "true", order = false }
