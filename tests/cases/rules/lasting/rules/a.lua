local count = 0
total = 0
local function next_number()
  count = count + 1
  return count
end
rule "a" {
  on = { type = "x" },
  when = function(event)
    total = total + 1
    return next_number() % 2 == 0
  end,
}
