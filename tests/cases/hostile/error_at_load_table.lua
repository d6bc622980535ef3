-- run: load
-- expect: load: table
error({})
