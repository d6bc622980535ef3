projection "totals" { on = { type = "x" }, key = "id", fold = function(s) return s end }
rule "a" {
  on = { type = "x" },
  when = function(event) return view("total", event.id) end,
  emit = function(event) return { type = view("other", "k") } end,
}
