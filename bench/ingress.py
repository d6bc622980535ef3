#!/usr/bin/env python3
"""Ingress: single posts with fsync on 64 connections beside the bare server, and NDJSON in volume.

    bench/ingress.py [BUILD [ROUNDS [SECONDS]]]

Both servers are loaded by wrk (one thread, 64 connections) in turn, A B A B; the bare one is the same
libmicrohttpd set-up answering at once (bench/http_bare.c). NDJSON sends one body of events of 320
bytes; its rate is also given per second of the engine's own CPU time ("one core's worth").
"""
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

BUILD = sys.argv[1] if len(sys.argv) > 1 else "build"
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 5
SECONDS = int(sys.argv[3]) if len(sys.argv) > 3 else 4
EVENTS = 500_000

SCRIPT = """
local n, run = 0, os.getenv("RUN")
request = function()
  n = n + 1
  return wrk.format("POST", "/v1/events", {["Content-Type"] = "application/cloudevents+json"},
    string.format('{"specversion":"1.0","id":"%s-%09d","source":"/bench","type":"order.placed",'
      .. '"subject":"customer-%05d","data":{"total":%d,"currency":"EUR","note":"%s"}}',
      run, n, n % 10000, n % 2000, string.rep("x", 180)))
end
done = function(summary, latency)
  io.write(string.format("RESULT %d %d %d %.0f %.0f\\n", summary.requests, summary.duration,
    summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port):
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    sys.exit(f"nothing listens on port {port}")


def wrk(port, script, run, connections=64):
    out = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", "-s", script,
         f"http://127.0.0.1:{port}"],
        env={**os.environ, "RUN": run}, capture_output=True, text=True, check=True).stdout
    found = re.search(r"RESULT (\d+) (\d+) (\d+) (\d+) (\d+)", out)
    requests, micros, errors, p50, p99 = map(int, found.groups())
    return requests / micros * 1e6, errors, p50 / 1000, p99 / 1000


def cpu_seconds(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_mb(pid):
    return int(re.search(r"VmHWM:\s+(\d+)", open(f"/proc/{pid}/status").read()).group(1)) / 1024


def engine(folder, port):
    process = subprocess.Popen(
        [f"{BUILD}/dalamb", "run", folder, "--data", f"{folder}/data",
         "--listen", f"127.0.0.1:{port}"], stderr=subprocess.DEVNULL)
    wait_for(port)
    return process


def singles(folder, script):
    bare, own = [], []
    for round_ in range(ROUNDS):
        port = free_port()
        process = subprocess.Popen([f"{BUILD}/bench/bench_http_bare", str(port), "60"],
                                   stdout=subprocess.DEVNULL)
        wait_for(port)
        bare.append(wrk(port, script, f"b{round_}"))
        process.send_signal(signal.SIGTERM)
        process.wait()
        port = free_port()
        process = engine(folder, port)
        own.append(wrk(port, script, f"s{time.time_ns()}"))
        process.send_signal(signal.SIGTERM)
        process.wait()
    rate = [statistics.median(r[0] for r in rows) for rows in (bare, own)]
    print(f"single posts   bare {rate[0]:8.0f}/s   dalamb {rate[1]:8.0f}/s   "
          f"ratio {statistics.median(b[0] / a[0] for a, b in zip(bare, own)):.2f}   "
          f"p50 {statistics.median(r[2] for r in own):.1f} ms   "
          f"p99 {statistics.median(r[3] for r in own):.1f} ms   "
          f"errors {sum(r[1] for r in own)}")


def body(path, run):
    with open(path, "w") as out:
        for n in range(EVENTS):
            event = (f'{{"specversion":"1.0","id":"{run}-{n:09d}","source":"/bench",'
                     f'"type":"order.placed","subject":"customer-{n % 10000:05d}",'
                     f'"data":{{"total":{n % 2000},"currency":"EUR","note":"')
            out.write(event + "x" * (320 - len(event) - 4) + '"}}\n')


def ndjson_send(port, path):
    answer = subprocess.run(
        ["curl", "-sS", "-X", "POST", "-H", "Content-Type: application/x-ndjson", "-H",
         "Expect:", "-T", path, f"http://127.0.0.1:{port}/v1/events"],
        capture_output=True, text=True, check=True).stdout
    if json.loads(answer)["accepted"] != EVENTS:
        sys.exit(f"NDJSON: {answer}")


def ndjson(folder):
    rates, cores, peaks = [], [], []
    for round_ in range(ROUNDS):
        path = f"{folder}/body.ndjson"
        body(path, f"n{time.time_ns()}")
        port = free_port()
        process = engine(folder, port)
        before, start = cpu_seconds(process.pid), time.monotonic()
        ndjson_send(port, path)
        seconds, cpu = time.monotonic() - start, cpu_seconds(process.pid) - before
        peaks.append(peak_mb(process.pid))
        process.send_signal(signal.SIGTERM)
        process.wait()
        rates.append(EVENTS / seconds)
        cores.append(EVENTS / cpu)
    print(f"NDJSON         {statistics.median(rates):8.0f} events/s   "
          f"{statistics.median(cores):8.0f} events per CPU second (worker included)   "
          f"peak {max(peaks):.0f} MB")


def idle(folder):
    empty = f"{folder}/empty"
    os.mkdir(empty)
    port = free_port()
    start = time.monotonic()
    process = engine(empty, port)
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz").read()
            break
        except OSError:
            time.sleep(0.001)
    ready = time.monotonic() - start
    time.sleep(2)
    status = open(f"/proc/{process.pid}/status").read()
    rss = int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) / 1024
    anonymous = int(re.search(r"RssAnon:\s+(\d+)", status).group(1)) / 1024
    process.send_signal(signal.SIGTERM)
    process.wait()
    print(f"footprint      ready after {ready * 1000:.0f} ms   "
          f"idle resident {rss:.0f} MB ({anonymous:.0f} MB of it its own)")


def main():
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        script = f"{folder}/post.lua"
        open(script, "w").write(SCRIPT)
        idle(folder)
        singles(folder, script)
        ndjson(folder)


if __name__ == "__main__":
    main()
