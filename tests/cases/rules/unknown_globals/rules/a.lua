local function late(event)
  return strng.format("%s", event.id)
end
rule "r" {
  on = { type = "x", data = { total = numric(">", 5) } },
  when = function(event) return os.time() > late(event) end,
}
