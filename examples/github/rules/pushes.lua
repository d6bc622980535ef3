-- Pushes to each branch: "owner/repository:branch".
projection "pushes" {
  version = 1,
  on   = { type = "com.github.push", data = { ref = prefix "refs/heads/" } },
  key  = function(event)
    return event.data.repository.full_name .. ":" .. string.sub(event.data.ref, 12)
  end,
  init = { pushes = 0, commits = 0, forced = 0 },
  fold = function(state, event)
    if event.data.deleted then
      return nil
    end
    state.pushes  = state.pushes + 1
    state.commits = state.commits + #event.data.commits
    state.forced  = state.forced + (event.data.forced and 1 or 0)
    state.head    = event.data.after
    state.by      = event.data.pusher.name
    return state
  end,
}

-- History of a main branch that was rewritten: worth an event that people are told of.
rule "main-rewritten" {
  on   = { type = "com.github.push",
           data = { forced = true, ref = { "refs/heads/main", "refs/heads/master" } } },
  emit = function(event)
    return {
      type    = "branch.rewritten",
      subject = event.data.repository.full_name,
      data    = { by = event.data.pusher.name, before = event.data.before, after = event.data.after },
    }
  end,
}
