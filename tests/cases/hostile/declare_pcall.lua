-- run: load
-- expect: load: has no table behind its name
pcall(rule, "x")
