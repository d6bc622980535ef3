log { kind = "kafka", brokers = "127.0.0.1:9092", topics = { orders = { key = "data.customer" }, clicks = { key = "data.user" } } }
