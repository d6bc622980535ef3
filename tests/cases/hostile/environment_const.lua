-- run: load
-- expect: load: '_ENV' can't be used
local _ENV <const> = {}
function A() end
