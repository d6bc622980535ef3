"""A client of the Runtime API over plain HTTP, that does what its payload and _HANDLER say."""

import http.client
import json
import os
import signal
import sys
import time

BASE = "/2018-06-01/runtime"
connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])


def call(method, path, body=None, headers=None, on=None):
    http_connection = on or connection
    http_connection.request(method, BASE + path, body, headers or {})
    answer = http_connection.getresponse()
    return answer.status, dict(answer.getheaders()), answer.read()


def respond(request, body, headers=None):
    return call("POST", f"/invocation/{request}/response", body, headers)


def probe(request, headers):
    """The edges of the protocol, asked while this invocation runs: what was answered."""
    nonce = {"Lambda-Runtime-Invocation-Id": headers["Lambda-Runtime-Invocation-Id"]}
    stale = {"Lambda-Runtime-Invocation-Id": "00000000-0000-4000-8000-000000000000"}
    other = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    seen = {
        "next": call("GET", "/invocation/next", on=other),
        "wrong id": respond("11111111-1111-4111-8111-111111111111", "1"),
        "stale nonce": respond(request, "1", stale),
        "init": call("POST", "/init/error", "{}"),
        "path": call("GET", "/elsewhere"),
    }
    other.close()
    seen = {
        key: [status, json.loads(body).get("errorType")] for key, (status, _, body) in seen.items()
    }
    seen["headers"] = {k: v for k, v in headers.items() if k.startswith("Lambda-")}
    status, _, body = respond(request, json.dumps(seen), nonce)
    assert (status, json.loads(body)) == (202, {"status": "OK"}), status
    status, _, body = respond(request, "2")
    print("twice", status, json.loads(body)["errorType"])


def stream(request, trailers):
    """Half a result, then trailers; http.client has none, so they are written by hand."""
    connection.putrequest("POST", f"{BASE}/invocation/{request}/response")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.putheader("Lambda-Runtime-Function-Response-Mode", "streaming")
    connection.putheader("Trailer", ", ".join(trailers) or "None")
    connection.endheaders()
    connection.send(b"4\r\n[1,2\r\n")
    lines = "".join(f"{name}: {value}\r\n" for name, value in trailers.items())
    connection.send(b"0\r\n" + lines.encode() + b"\r\n")
    answer = connection.getresponse()
    assert answer.status == 202, answer.status
    answer.read()


def act(request, headers, event):
    do = event.get("do")
    if do == "probe":
        return probe(request, headers)
    if do == "exit":
        print("going", flush=True)
        sys.stderr.write("down\n")
        os._exit(event["status"])
    if do == "kill":
        os.kill(os.getpid(), signal.SIGSEGV)
    if do == "fail":
        error = {"errorMessage": "no such order", "errorType": "OrderError", "stackTrace": ["a", "b"]}
        return call("POST", f"/invocation/{request}/error", json.dumps(error))
    if do == "fail oddly":
        kind = {"Lambda-Runtime-Function-Error-Type": "Odd.Error"}
        return call("POST", f"/invocation/{request}/error", "not JSON", kind)
    if do == "sleep":
        time.sleep(event["s"])
    if do == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if do == "print":
        for i in range(event["count"]):
            print("x" * event["size"], i)
    if do == "allocate":
        return respond(request, json.dumps(len(bytearray(event["bytes"]))))
    if do == "spin":
        until = time.process_time() + event["s"]
        while time.process_time() < until:
            pass
    if do == "big":
        status, _, body = respond(request, "[" + "1," * (event["bytes"] // 2) + "1]")
        return print("big", status, json.loads(body).get("errorType"))
    if do == "chunked":
        return respond(request, iter([b"[1,", b"2", b"]"]))
    if do == "stream":
        return stream(request, event["trailers"])
    if do == "environment":
        return respond(request, json.dumps(dict(os.environ)))
    if do == "pid":
        return respond(request, json.dumps(os.getpid()))
    if do == "linger":
        respond(request, "1")
        time.sleep(event["s"])
        return None
    return respond(request, json.dumps(event))


def main():
    how = os.environ["_HANDLER"]
    print("hello from init")
    if how == "exit":
        sys.exit("cannot begin")
    if how == "hang":
        time.sleep(60)
    if how == "error":
        error = {"errorMessage": "no module app", "errorType": "Runtime.ImportModuleError"}
        call("POST", "/init/error", json.dumps(error))
        sys.exit(1)
    while True:
        status, headers, body = call("GET", "/invocation/next")
        if status != 200:
            sys.exit(0)
        act(headers["Lambda-Runtime-Aws-Request-Id"], headers, json.loads(body))


main()
