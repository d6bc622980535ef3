"""The function: a Lambda program in a few lines, quick to start. It writes down each try in a
journal that outlives it, and fails some by chance."""

import json
import os
import random
import socket
import time

FLAKY, HOPELESS = 0.12, 0.01

journal = os.open(os.environ["JOURNAL"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
host, _, port = os.environ["AWS_LAMBDA_RUNTIME_API"].rpartition(":")
BASE = "/2018-06-01/runtime/invocation/"


def note(**line):
    """One write a line: lines of several processes don't mix."""
    os.write(
        journal, (json.dumps({"time": time.time(), "pid": os.getpid(), **line}) + "\n").encode()
    )


class Api:
    def __init__(self):
        self.socket = socket.create_connection((host, int(port)))
        self.reader = self.socket.makefile("rb")

    def ask(self, method, path, body=b""):
        head = "%s %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n"
        self.socket.sendall((head % (method, path, host, len(body))).encode() + body)
        status = int(self.reader.readline().split()[1])
        headers = {}
        while line := self.reader.readline().strip():
            name, _, value = line.decode().partition(":")
            headers[name.strip().lower()] = value.strip()
        return status, headers, self.reader.read(int(headers.get("content-length", 0)))


def main():
    api = Api()
    while True:
        _, headers, body = api.ask("GET", BASE + "next")
        request = headers["lambda-runtime-aws-request-id"]
        row = json.loads(headers["lambda-runtime-client-context"])["custom"]["idempotency_key"]
        data = json.loads(body)["data"]
        note(row=row, request=request, key=data["key"], seq=data["seq"], begun=True)
        fate = random.random()
        error = "Hopeless" if fate < HOPELESS else "Flaky" if fate < HOPELESS + FLAKY else None
        if error:
            answer = {"errorMessage": "by chance", "errorType": error, "stackTrace": []}
            status, _, _ = api.ask("POST", BASE + request + "/error", json.dumps(answer).encode())
        else:
            answer = {"key": data["key"], "seq": data["seq"]}
            status, _, _ = api.ask(
                "POST", BASE + request + "/response", json.dumps(answer).encode()
            )
        note(row=row, error=error, status=status, begun=False)


main()
