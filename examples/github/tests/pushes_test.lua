local function push(branch, commits, forced)
  local list = {}
  for i = 1, commits do
    list[i] = { id = "c" .. i }
  end
  return {
    type = "com.github.push", subject = "refs/heads/" .. branch,
    data = { ref = "refs/heads/" .. branch, before = "0a", after = "0b", forced = forced or false,
             deleted = false, commits = list, pusher = { name = "ada" },
             repository = { full_name = "ada/engine" } },
  }
end

test "pushes are counted by branch" {
  events = { push("main", 2), push("main", 1), push("try/gears", 5) },
  expect = {
    view("pushes", "ada/engine:main",
         { pushes = 2, commits = 3, forced = 0, head = "0b", by = "ada" }),
    view("pushes", "ada/engine:try/gears",
         { pushes = 1, commits = 5, forced = 0, head = "0b", by = "ada" }),
    no_emit(),
  },
}

test "a rewritten main branch is told of" {
  events = { push("main", 1, true), push("try/gears", 1, true) },
  expect = {
    emit("branch.rewritten", { subject = "ada/engine", data = { by = "ada", before = "0a" } }),
    no_match("defect-reported"),
  },
}
