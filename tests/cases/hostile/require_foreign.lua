-- run: load
-- expect: load: there is no lib/../../etc/passwd.lua
require "../../etc/passwd"
