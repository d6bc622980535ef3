local function issue(action, title, state)
  return {
    type = "com.github.issues." .. action,
    data = {
      action     = action,
      repository = { full_name = "ada/engine" },
      issue      = { number = 7, title = title, state = state or "open", body = "It says so.",
                     user = { login = "charles" }, created_at = "2026-01-01T10:00:00Z",
                     labels = { { name = "reader" } } },
    },
  }
end

test "a defect goes to triage, with what it needs" {
  events = { issue("opened", "Crash when the card reader is empty") },
  expect = {
    call("triage", { repository = "ada/engine", number = 7, text = "It says so." }),
    view("open-issues", "ada/engine#7", {
      title = "Crash when the card reader is empty", by = "charles",
      since = "2026-01-01T10:00:00Z", labels = { "reader" },
    }),
  },
}

test "a wish does not" {
  events = { issue("opened", "A larger mill, please") },
  expect = { no_call(), no_match("defect-reported") },
}

test "a closed issue is gone" {
  events = { issue("opened", "A larger mill, please"), issue("closed", "A larger mill, please", "closed") },
  expect = { view("open-issues", "ada/engine#7", nil) },
}

test "what triage said becomes an event" {
  events = {
    { type = "dalamb.function.succeeded", subject = "7",
      data = { name = "triage", result = { issue = "ada/engine#7", severity = "high" } } },
  },
  expect = { emit("issue.triaged", { subject = "ada/engine#7", data = { severity = "high" } }) },
}

test "an issue as GitHub sends it" {
  events = "issues.ndjson",
  expect = {
    call("triage", { repository = "ada/engine", number = 12 }),
    view("open-issues", "ada/engine#12", {
      title = "Error in the notes, table 4", by = "luigi", since = "2026-02-03T09:30:00Z",
    }),
    view("open-issues", "ada/engine#11", nil),
  },
}
