-- The operator's file: where GitHub delivers to, with which secret, and what rules may call.

http   { listen = "127.0.0.1:8080" }
github { path = "/hooks/github", secret = secret "GITHUB_SECRET" } -- from the environment, or a file

func "triage" {
  command = { "python3", "runtime.py" },
  handler = "app.handler",
  timeout = "5s",
  -- It gets what it needs of an issue, not GitHub's 20 KB about it.
  input   = function(event)
    local issue = event.data.issue
    return {
      repository = event.data.repository.full_name,
      number     = issue.number,
      title      = issue.title,
      text       = issue.body,
    }
  end,
}
