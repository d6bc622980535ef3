-- The operator's file: where the engine listens, and which programs rules may call.

http { listen = "127.0.0.1:8080" }

func "greet" {
  -- A process in functions/greet. runtime.py asks for work and calls handler() in app.py; a client
  -- of AWS Lambda's Runtime API (awslambdaric, aws-lambda-go, ...) can take its place.
  command = { "python3", "runtime.py" },
  handler = "app.handler",
  input   = "data",    -- it gets the event's data, not the whole event
  timeout = "5s",
}
