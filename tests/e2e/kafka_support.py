"""Engines on a broker: apps with names of their own, so that tests share one."""

import json
import os

import pytest
from neighbours.kafka import Kafka
from support.engine import wait_for

COUNTS = """
projection "counts" {
  version = 1,
  on   = { topic = "%s", type = { exists(true) } },
  key  = "%s",
  init = { n = 0 },
  fold = function(state, event) state.n = state.n + 1 return state end,
}
"""


def counts(topic="events", key="type"):
    """Rules that count what comes by a topic; one, as between topics there is no order."""
    return COUNTS % (topic, key)


SYSTEM_RULES = """
projection "refused" {
  version = 1,
  on   = { type = "dalamb.record.refused" },
  key  = "data.position",
  fold = function(state, event) return event.data end,
}
"""


def unique(name):
    return "%s-%s" % (name, os.urandom(4).hex())


def operator(app, log="", more=""):
    """Text of dalamb.lua; `log` are fields of log { }."""
    return 'app "%s"\nlog { %s }\n%s\n' % (app, log, more)


def environment(address):
    return {"DALAMB_LOG_KIND": "kafka", "DALAMB_LOG_BROKERS": address}


class OnKafka:
    """Makes engines whose log is a broker."""

    def __init__(self, engine, broker):
        self.make, self.broker = engine, broker
        self.kafka = Kafka(broker.address)

    def __call__(self, app, log="", rules=counts(), address=None, files=None, more="", **options):
        """A started engine; `app` is its name, its own topics are <app>.events and .system."""
        files = {"dalamb.lua": operator(app, log, more), "rules/rules.lua": rules, **(files or {})}
        env = {**environment(address or self.broker.address), **options.pop("env", {})}
        one = self.make(files, env=env, **options)
        one.name, one.kafka = app, self.kafka
        return one


@pytest.fixture
def on_kafka(engine, broker):
    return OnKafka(engine, broker)


def structured(type="t", id=None, **more):
    event = {"specversion": "1.0", "id": id or os.urandom(8).hex(), "source": "/tests", **more}
    return {"type": type, **event}


def binary(type="t", id=None, source="/tests", **more):
    """Headers of binary mode."""
    attributes = {"specversion": "1.0", "id": id or os.urandom(8).hex(), "source": source}
    headers = {"ce_" + name: text for name, text in {**attributes, "type": type, **more}.items()}
    return {"content-type": "application/json", **headers}


def stored(engine, topic="events"):
    return [item["event"] for item in engine.events(topic=topic)]


def refused(engine):
    """What the engine says of records that were none: by position."""
    items = engine.events(topic="system", type="dalamb.record.refused")
    return {item["event"]["data"]["position"]: item["event"] for item in items}


def totals(engine, projection="counts"):
    return {key: entry["value"] for key, entry in engine.entries(projection).items()}


def log_of(engine):
    return engine.status()["log"]


def settle(engine):
    """All that lies on the brokers now is folded: they are asked, for the engine itself asks for
    the ends of others' topics once a second only."""
    own = {topic: "%s.%s" % (engine.name, topic) for topic in ("events", "system")}
    lanes = engine.status()["lanes"]
    topics = {part["topic"] for lane in lanes for part in lane["partitions"]}
    ends = {topic: engine.kafka.ends(own.get(topic, topic)) for topic in topics}

    def settled():
        return all(
            int(part["next"]) >= ends[part["topic"]][part["partition"]][1]
            for lane in engine.status()["lanes"]
            for part in lane["partitions"]
        )

    try:
        wait_for(settled, 60, "the end of the log", 0.05)
    except AssertionError as error:
        raise AssertionError("%s: %s; ends: %s" % (error, engine.status(), ends)) from None


def wait_count(engine, key, count, projection="counts"):
    def counted():
        answer = engine.entry(projection, key)
        return answer.status == 200 and answer.json["value"]["n"] >= count

    try:
        wait_for(counted, 60, "%s, %d times" % (key, count), 0.05)
    except AssertionError as error:
        raise AssertionError("%s: %s" % (error, engine.status())) from None
    assert engine.entry(projection, key).json["value"]["n"] == count


def dump(value):
    return json.dumps(value, separators=(",", ":")).encode()
