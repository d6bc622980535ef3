#!/usr/bin/env python3
"""Ingress to Kafka, beside the embedded log: the same engine, the broker on the same machine.

    bench/kafka_ingress.py [BUILD [ROUNDS [SECONDS]]]

In turn, A B A B: single posts on 64 connections and on one, posts of 100 events on 16 connections
(wrk, one thread), and one NDJSON body of 500,000 events of 320 bytes (curl). The app has no rules;
its own topics have one partition each, as they are made. Rates are of events that were answered 2xx
(the embedded log: fsync; Kafka: acks=all by its one broker); CPU is the engine's, its reading of
what it wrote included. One run more goes before, for the broker to warm up.
"""
import os
import statistics
import tempfile
import time

from ingress import BUILD, EVENTS, ROUNDS, SCRIPT, body, ndjson_send, wrk
from kafka import Engine, broker_start, cpu_s, peak_mb

AT_ONCE = 100
BATCHES = """
local n, run = 0, os.getenv("RUN")
request = function()
  local events = {}
  for i = 1, %d do
    n = n + 1
    events[i] = string.format('{"specversion":"1.0","id":"%%s-%%09d","source":"/bench",'
      .. '"type":"order.placed","subject":"customer-%%05d","data":{"total":%%d,"note":"%%s"}}',
      run, n, n %% 10000, n %% 2000, string.rep("x", 180))
  end
  return wrk.format("POST", "/v1/events", {["Content-Type"] = "application/cloudevents-batch+json"},
    "[" .. table.concat(events, ",") .. "]")
end
""" % AT_ONCE + SCRIPT[SCRIPT.index("done ="):]


def posts(engine, script, connections, events):
    """Events a second, how many, errors, p50 and p99 in ms."""
    start = time.monotonic()
    rate, errors, p50, p99 = wrk(engine.port, script, f"r{time.time_ns()}", connections)
    return rate * events, rate * events * (time.monotonic() - start), errors, p50, p99


def ndjson(engine, path):
    body(path, f"n{time.time_ns()}")
    start = time.monotonic()
    ndjson_send(engine.port, path)
    return EVENTS / (time.monotonic() - start), EVENTS, 0, 0, 0


def works(folder):
    single, batch = f"{folder}/post.lua", f"{folder}/batch.lua"
    for path, text in ((single, SCRIPT), (batch, BATCHES)):
        with open(path, "w") as script:
            script.write(text)
    return {
        "posts, 64 connections": lambda engine: posts(engine, single, 64, 1),
        "posts, 1 connection": lambda engine: posts(engine, single, 1, 1),
        "posts of 100, 16 conn.": lambda engine: posts(engine, batch, 16, AT_ONCE),
        "NDJSON": lambda engine: ndjson(engine, f"{folder}/body.ndjson"),
    }


def run(work, folder, brokers):
    """As the work says, then CPU seconds for a million events, and the peak in MB."""
    app = f"ingress-{time.time_ns()}"
    engine = Engine(BUILD, folder, app, brokers, f'app "{app}"\n')
    try:
        before = cpu_s(engine.process.pid)
        rate, events, *latency = work(engine)
        cpu = (cpu_s(engine.process.pid) - before) / events * 1e6
        return rate, *latency, cpu, peak_mb(engine.process.pid)
    finally:
        engine.stop()


def show(name, pairs):
    print(name)
    for kind, rows in zip(("embedded", "Kafka"), zip(*pairs)):
        rate, errors, p50, p99, cpu, peak = (statistics.median(column) for column in zip(*rows))
        errors = sum(row[1] for row in rows)
        latency = f"p50 {p50:.1f} ms   p99 {p99:.1f} ms   " if p99 else ""
        print(f"    {kind:9} {rate:8.0f} events/s   {latency}{cpu:5.1f} CPU s/M   "
              f"peak {peak:.0f} MB   errors {errors}")
    ratio = statistics.median(kafka[0] / embedded[0] for embedded, kafka in pairs)
    print(f"    ratio {ratio:.2f}", flush=True)


def main():
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        broker = broker_start(f"{folder}/kafka")
        try:
            for name, work in works(folder).items():
                run(work, folder, broker.address)  # a JVM compiles what it does often
                show(name, [[run(work, folder, brokers) for brokers in (None, broker.address)]
                            for _ in range(ROUNDS)])
        finally:
            broker.close()


main()
