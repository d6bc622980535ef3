-- run: load
-- expect: load: too m
for i = 1, 1000000 do rule("r" .. i) { on = { type = "x" } } end
