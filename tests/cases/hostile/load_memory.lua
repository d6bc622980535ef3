-- run: load
-- expect: load: too much CPU time
local t = {}
for i = 1, math.maxinteger do t[i] = string.rep("x", 1000000) .. i end
