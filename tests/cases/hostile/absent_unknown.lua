-- run: load
-- expect: load: unknown global 'rul': did you mean 'rule'?
rul "x" {}
