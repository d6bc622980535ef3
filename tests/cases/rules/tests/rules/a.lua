projection "p" { on = { type = "x" }, key = "id", fold = function(s) return s end }
