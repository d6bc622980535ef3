"""The app that is killed: sums per key, ordered calls that fail by chance, emits, and what comes of
completions. All of it can be computed again from the log (checker.py)."""

import json
import sys
from pathlib import Path

from support.engine import write_app

RULES = """
rule "work" {
  on   = { type = "work" },
  call = "work",
}

rule "echo" {
  on   = { type = "echo" },
  emit = function(event)
    return {
      { type = "echoed", subject = event.subject, data = { of = event.id, index = 1 } },
      { type = "echoed", subject = event.subject, data = { of = event.id, index = 2 } },
    }
  end,
}

rule "worked" {
  on   = { type = "dalamb.function.succeeded", data = { name = "work" } },
  emit = function(event)
    return { type = "worked", subject = event.subject, data = { row = event.data.row } }
  end,
}

-- What each key has summed up, of all that producers send.
projection "sums" {
  version = 1,
  on   = { type = { "count", "work", "echo" } },
  key  = "data.key",
  init = { events = 0, sum = 0, last = 0 },
  fold = function(state, event)
    state.events = state.events + 1
    state.sum    = state.sum + event.data.number
    state.last   = event.data.seq
    return state
  end,
}

-- How often the completions of each row were seen: once.
projection "completions" {
  version = 1,
  on   = { type = { "dalamb.function.succeeded", "dalamb.function.failed" } },
  key  = "data.row",
  init = { seen = 0 },
  fold = function(state, event)
    state.seen = state.seen + 1
    state.type = event.type
    return state
  end,
}

projection "emitted" {
  version = 1,
  on   = { type = { "echoed", "worked" } },
  key  = function(event) return event.data.of or event.data.row end,
  fold = function(state, event)
    return { seen = (state and state.seen or 0) + 1 }
  end,
}
"""

# On several partitions what is folded together lies together: sums, by the key of their events.
NARROW = RULES[: RULES.index("-- How often")].replace(
    "on   = { type = {", 'on   = { topic = "events", type = {'
)
OPERATOR = """
app "%(app)s"
%(log)s
limits { disk_free = "64MiB", grace = "3s" }

func "work" {
  command  = { %(python)s, "-I", "-S", %(script)s },
  sandbox  = false,
  env      = { JOURNAL = %(journal)s },
  order    = "data.key",
  max      = 3,
  attempts = 3,
  backoff  = "3s",
  final    = { "Hopeless" },
  timeout  = "20s",
}
"""


def write(folder, journal, name="crash", partitions=0):
    """With partitions it is an app for Kafka."""
    script = Path(__file__).with_name("work.py")
    log = 'log { topics = { events = { key = "data.key" } }, partitions = %d }' % partitions
    words = {"python": sys.executable, "script": str(script), "journal": str(journal)}
    operator = OPERATOR % {
        "app": name,
        "log": log if partitions else "",
        **{name: json.dumps(text) for name, text in words.items()},
    }
    (Path(folder) / "functions/work").mkdir(parents=True)
    rules = NARROW if partitions > 1 else RULES
    return write_app(folder, {"dalamb.lua": operator, "rules/rules.lua": rules})
