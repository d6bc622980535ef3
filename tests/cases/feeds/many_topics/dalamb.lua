log { kind = "kafka", brokers = "127.0.0.1:9092", topics = { "a", "b", "c", "d", "e", "f" } }
