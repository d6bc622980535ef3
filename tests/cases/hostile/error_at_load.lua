-- run: load
-- expect: load: boom
error("boom")
