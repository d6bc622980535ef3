log { topics = { "orders", clicks = { key = "data.user" } } }
