-- run: load
-- expect: load: there is no lib/rules/ok.lua
require "rules/ok"
