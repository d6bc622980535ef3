"""Kafka changes where events lie, not what comes of them; and the example runs on it unchanged."""

import hashlib
import json
import random

import pytest
from kafka_support import (  # noqa: F401
    dump, environment, on_kafka, operator, refused, settle, structured, unique,
)
from support.engine import wait_for
from test_shop import copy_of_shop, order

IMAGE = "localhost/dalamb-shop-fraud-check"
CUSTOMERS, EVENTS = 300, 6000

# What it folds depends on the order of each customer's events.
RULES = """
projection "orders" {
  version = 1,
  on   = { topic = "events", type = { "placed", "cancelled" } },
  key  = "data.customer",
  init = { n = 0, total = 0, last = {}, hash = 7 },
  fold = function(state, event)
    local sign = event.type == "placed" and 1 or -1
    state.n     = state.n + 1
    state.total = state.total + sign * event.data.total
    state.hash  = (state.hash * 31 + event.data.total) % 1000000007
    table.insert(state.last, 1, event.data.total)
    state.last[6] = nil
    return state
  end,
}

rule "large" {
  by   = "data.customer",
  on   = { topic = "events", type = "placed", data = { total = numeric(">", 900) } },
  when = function(event)
    local orders = view("orders", event.data.customer)
    return orders ~= nil and orders.total < 5000
  end,
  emit = function(event)
    return { type = "large", data = { customer = event.data.customer, total = event.data.total } }
  end,
}

projection "large" {
  version = 1,
  on   = { topic = "events", type = "large" },
  key  = "data.customer",
  init = { n = 0, sum = 0 },
  fold = function(state, event)
    state.n   = state.n + 1
    state.sum = state.sum + event.data.total
    return state
  end,
}
"""


def events():
    source = random.Random(3)
    for n in range(EVENTS):
        data = {"customer": "c%d" % source.randrange(CUSTOMERS), "total": source.randrange(1000)}
        type = "cancelled" if source.random() < 0.1 else "placed"
        yield structured(type, "e%d" % n, data=data)


def digest(engine):
    """Over the sorted entries of all projections."""
    found = [
        (projection, key, entry["value"])
        for projection in ("orders", "large")
        for key, entry in engine.entries(projection).items()
    ]
    text = json.dumps(sorted(found, key=lambda one: one[:2]), sort_keys=True)
    assert len(found) > CUSTOMERS
    return hashlib.sha256(text.encode()).hexdigest()


def test_the_same_projections(on_kafka, engine):
    body = "".join(json.dumps(event) + "\n" for event in events())
    log = 'topics = { events = { key = "data.customer" } }'
    engines = {
        "embedded": engine({"dalamb.lua": operator("same", log), "rules/rules.lua": RULES}),
        "1 partition": on_kafka(unique("same"), log, RULES),
        "12 partitions": on_kafka(unique("same"), log + ", partitions = 12", RULES),
    }
    digests = {}
    for name, one in engines.items():
        answer = one.ask("POST", "/v1/events", body, {"Content-Type": "application/x-ndjson"})
        assert (answer.status, answer.json["accepted"]) == (200, EVENTS), (name, answer)
        one.drain()
        digests[name] = digest(one)
    assert len(set(digests.values())) == 1, digests


# --- the example ---


def renamed_shop(folder, name):
    """The example, but for its name: other tests use the same broker."""
    path = copy_of_shop(folder)
    settings = path / "dalamb.lua"
    settings.write_text(settings.read_text().replace('app "shop"', 'app "%s"' % name))
    return path


def test_the_shop_on_kafka(engine, broker, folder, walls, vendored):
    flag_an_order(engine(renamed_shop(folder, unique("shop")), env=environment(broker.address)))


def test_the_shop_on_kafka_in_a_container(engine, broker, podman, folder):
    if not podman.has_image(IMAGE):
        pytest.skip("there is no image %s: ./dev test builds it" % IMAGE)
    env = {"DOCKER_HOST": podman.host, "DALAMB_FUNC_FRAUD_CHECK_IMAGE": IMAGE}
    path = renamed_shop(folder, unique("shop"))
    shop = engine(path, env={**environment(broker.address), **env})
    flag_an_order(shop)
    assert podman.containers()
    assert shop.stop() == 0
    assert podman.containers() == []


def flag_an_order(shop):
    placed = order(shop, "o1", 1900)
    totals = shop.entry("customer-totals", "c1", placed).json
    assert totals["value"] == {"orders": 1, "total": 1900, "average": 1900}
    flagged = wait_for(
        lambda: (answer := shop.entry("flagged-orders", "o1")).status == 200 and answer.json,
        60, "the flag",
    )
    assert flagged["value"]["risk"] == 0.95
    types = [item["event"]["type"] for item in shop.events()]
    wanted = ["order.placed", "dalamb.function.succeeded", "order.flagged"]
    assert sorted(type for type in types if type in wanted) == sorted(wanted)
