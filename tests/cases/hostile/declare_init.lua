-- run: load
-- expect: load: is a function
projection "x" { on = { type = "x" }, key = "data", init = { f = function() end }, fold = function(s) return s end }
