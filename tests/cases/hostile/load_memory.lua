-- run: load
-- expect: load: not enough memory
local s = "x"
while true do s = s .. s end
