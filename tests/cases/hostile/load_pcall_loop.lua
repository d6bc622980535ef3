-- run: load
-- expect: load: too many instructions
while true do pcall(function() while true do end end) end
