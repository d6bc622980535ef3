-- An issue that sounds like a defect is looked at by a function.
rule "defect-reported" {
  on   = { type = "com.github.issues.opened",
           data = { issue = { title = { wildcard "*error*", wildcard "*Error*",
                                        wildcard "*crash*", wildcard "*Crash*" } } } },
  call = "triage",
}

-- What it found is an event of its own, for whoever wants to react.
rule "triaged" {
  on   = { type = "dalamb.function.succeeded", data = { name = "triage" } },
  emit = function(event)
    local result = event.data.result
    return { type = "issue.triaged", subject = result.issue, data = result }
  end,
}

-- The issues that are open now: "owner/repository#number". A closed one has no entry.
projection "open-issues" {
  version = 1,
  on   = { type = prefix "com.github.issues.", data = { issue = { number = exists(true) } } },
  key  = function(event)
    return event.data.repository.full_name .. "#" .. event.data.issue.number
  end,
  fold = function(state, event)
    local issue, action = event.data.issue, event.data.action
    if action == "deleted" or action == "transferred" or issue.state == "closed" then
      return nil
    end
    local labels = {}
    for i, label in ipairs(issue.labels or {}) do
      labels[i] = label.name
    end
    return {
      title  = issue.title,
      by     = issue.user.login,
      since  = issue.created_at,
      labels = #labels > 0 and labels or nil, -- an empty table would be an object for a reader
    }
  end,
}

-- What triage said of each issue.
projection "triage" {
  version = 1,
  on   = { type = "issue.triaged" },
  key  = "subject",
  fold = function(state, event)
    return event.data
  end,
}
