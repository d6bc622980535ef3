-- run: load
-- expect: load: there is no lib/string.lua
require "string"
