-- Who comes for the first time is greeted.
rule "greet-newcomers" {
  on   = { type = "visit.registered", data = { name = exists(true) } },
  when = function(event)
    return view("visits", event.data.name) == nil
  end,
  call = "greet",
}

-- What a function answers comes back as an event, and rules react to it as to any other.
rule "greeted" {
  on   = { type = "dalamb.function.succeeded", data = { name = "greet" } },
  emit = function(event)
    return { type = "visitor.greeted", subject = event.subject, data = event.data.result }
  end,
}

-- How often somebody came. Raise the version when the fold changes: it is then built anew.
projection "visits" {
  version = 1,
  on   = { type = "visit.registered" },
  key  = "data.name",
  init = { count = 0 },
  fold = function(state, event)
    state.count = state.count + 1
    state.last  = event.time
    return state
  end,
}
