-- The operator's file: where the engine listens, and which programs may be called.

app "shop"

http { listen = "127.0.0.1:8080" }

func "fraud-check" {
  -- An AWS Lambda handler in Python; `./dev run` puts the runtime client beside it (vendor/).
  command = { "/usr/bin/python3", "-m", "awslambdaric", "app.handler" },
  handler = "app.handler",
  env     = { PYTHONPATH = "vendor", PYTHONDONTWRITEBYTECODE = "1" },
  input   = "data",         -- it gets the order itself, not the envelope
  order   = "data.customer",-- one customer's orders are checked one after another
  timeout = "5s",
  final   = { "ValueError" },
}
