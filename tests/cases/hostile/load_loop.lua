-- run: load
-- expect: load: too many instructions
while true do end
