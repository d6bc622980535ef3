#!/usr/bin/env python3
"""The stream from a real Kafka broker, beside a bare librdkafka consumer that parses and counts.

    bench/kafka_stream.py [BUILD [ROUNDS [EVENTS [KEYS]]]]

A topic of 12 partitions is filled (bench/kafka_fill.c), keyed by data.customer. Then, in turn, A B A
B: the peer (bench/peers/kafka_bare.c) and `dalamb run` on an empty data folder, each from its exec
to the last event of the topic: counted there, folded and committed here. Three works:

    structured   CloudEvents as JSON; 50 rules, none matches; one Lua fold
    binary       the same events in binary mode
    guarded      as structured, but 2 of the 50 rules match and ask a Lua guard, as bench/stream.c
"""
import os
import statistics
import subprocess
import sys
import tempfile
import time

from kafka import Engine, broker_start, cpu_s, peak_mb

BUILD = sys.argv[1] if len(sys.argv) > 1 else "build"
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 5
EVENTS = int(sys.argv[3]) if len(sys.argv) > 3 else 1_000_000
KEYS = int(sys.argv[4]) if len(sys.argv) > 4 else 1000
PATIENCE_S = 120

FOLD = """
projection "totals" {
  version = 1, on = { topic = "%(topic)s", type = "order.placed" }, key = "data.customer",
  init = { orders = 0, total = 0, average = 0 },
  fold = function(state, event)
    state.orders = state.orders + 1
    state.total = state.total + event.data.total
    state.average = state.total / state.orders
    return state
  end,
}
"""
RULE = """
rule "r%(number)d" {
  on = { topic = "%(topic)s", type = "order.placed", data = { %(data)s } },
  when = function(event) return event.data.total > 5000 end,
  emit = function(event) return nil end,
}
"""
OTHERS = ('country = "US", total = numeric(">", 10)', 'sku = prefix "B-"')
OPERATOR = 'app "%(app)s"\nlog { topics = { ["%(topic)s"] = { key = "data.customer" } } }\n'


def rules(topic, guarded):
    text = FOLD % {"topic": topic}
    for number in range(50):
        data = OTHERS[number % 2]
        if guarded and number < 2:
            data = 'country = { "FR", "DE" }'
        text += RULE % {"number": number, "topic": topic, "data": data}
    return text


def peer(brokers, topic):
    """Seconds, CPU seconds, peak in MB."""
    start = time.monotonic()
    process = subprocess.Popen([f"{BUILD}/bench/peers/bench_kafka_bare", brokers, topic],
                               stdout=subprocess.PIPE, text=True)
    records = process.stdout.readline().split()
    seconds = time.monotonic() - start
    usage = os.wait4(process.pid, 0)[2]
    process.returncode = 0
    if not records or int(records[0]) != EVENTS:
        sys.exit(f"the peer counted {records}")
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def own(brokers, folder, topic, work):
    app = f"{work}-{time.time_ns()}"
    names = {"app": app, "topic": topic}
    engine = Engine(BUILD, folder, app, brokers, OPERATOR % names, rules(topic, work == "guarded"))
    try:
        while engine.folded(topic) < EVENTS:
            if time.monotonic() - engine.started > PATIENCE_S:
                sys.exit(f"dalamb folded {engine.folded(topic)} events: see {engine.log}")
            time.sleep(0.02)
        seconds = time.monotonic() - engine.started
        return seconds, cpu_s(engine.process.pid), peak_mb(engine.process.pid)
    finally:
        engine.stop()


def show(work, pairs, broker_cpu):
    bare, dalamb = zip(*pairs)
    middle = [[statistics.median(row[i] for row in rows) for i in (0, 1)] for rows in (bare, dalamb)]
    print(f"{work:10}  bare {EVENTS / middle[0][0]:8.0f}/s {middle[0][1] / EVENTS * 1e6:5.2f} CPU "
          f"s/M {max(row[2] for row in bare):4.0f} MB   dalamb {EVENTS / middle[1][0]:8.0f}/s "
          f"{middle[1][1] / EVENTS * 1e6:5.2f} CPU s/M {max(row[2] for row in dalamb):4.0f} MB   "
          f"ratio {statistics.median(b[0] / d[0] for b, d in pairs):.2f}, of CPU "
          f"{statistics.median(b[1] / d[1] for b, d in pairs):.2f}   "
          f"(broker {broker_cpu / EVENTS * 1e6:.2f} CPU s/M)", flush=True)


def measure(broker, folder, work):
    topic = "orders-" + ("binary" if work == "binary" else "structured")
    pairs, broker_cpu = [], []
    for _ in range(ROUNDS):
        one = peer(broker.address, topic)
        before = cpu_s(broker.process.pid)
        pairs.append((one, own(broker.address, folder, topic, work)))
        broker_cpu.append(cpu_s(broker.process.pid) - before)
    show(work, pairs, statistics.median(broker_cpu))


def main():
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        broker = broker_start(f"{folder}/kafka")
        try:
            for mode in ("structured", "binary"):
                subprocess.run([f"{BUILD}/bench/bench_kafka_fill", broker.address,
                                "orders-" + mode, mode, str(KEYS), str(EVENTS)], check=True)
            for work in ("structured", "binary", "guarded"):
                measure(broker, folder, work)
        finally:
            broker.close()


main()
