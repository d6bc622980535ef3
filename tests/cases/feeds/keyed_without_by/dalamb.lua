log { kind = "kafka", brokers = "127.0.0.1:9092", topics = { events = { key = "data.customer" } } }
