"""Producers, one reader and one operator, in a process of their own, which no kill of the engine
touches.

    python3 clients.py PORT FOLDER SEED

FOLDER/acks and FOLDER/seen are what was acknowledged and what a tail has shown. Commands come on
stdin, a line each, and are answered by the same line when they are done: pause, go, stop.
"""

import http.client
import json
import random
import sys
import threading
import time

THREADS = 4
KEYS = 60  # of each thread
KINDS = [("count", 88), ("work", 5), ("echo", 7)]
AGAIN_S = 0.004


class Journal:
    def __init__(self, path):
        self.file = open(path, "a", buffering=1)
        self.lock = threading.Lock()

    def note(self, **line):
        with self.lock:
            self.file.write(json.dumps(line) + "\n")


class Producer(threading.Thread):
    """Sends what belongs to its own keys, in order: what is not acknowledged is sent again."""

    def __init__(self, clients, number, seed):
        super().__init__(daemon=True)
        self.clients, self.number = clients, number
        self.random = random.Random("%s %d" % (seed, number))
        self.seqs = [0] * KEYS
        self.sent = 0
        self.connection = None

    def event(self):
        key = self.random.randrange(KEYS)
        self.seqs[key] += 1
        self.sent += 1
        return {
            "specversion": "1.0",
            "id": "%d-%d" % (self.number, self.sent),
            "source": "/producers/%d" % self.number,
            "type": self.random.choices([k for k, _ in KINDS], [w for _, w in KINDS])[0],
            "data": {
                "key": "k%d.%d" % (self.number, key),
                "seq": self.seqs[key],
                "number": self.random.randrange(-1000, 1000),
            },
        }

    def post(self, media, body):
        """The answer, or None: nothing is known of it then."""
        try:
            if not self.connection:
                self.connection = http.client.HTTPConnection(
                    "127.0.0.1", self.clients.port, timeout=20
                )
            self.connection.request("POST", "/v1/events", body, {"Content-Type": media})
            response = self.connection.getresponse()
            text = response.read()
        except (OSError, http.client.HTTPException):
            if self.connection:
                self.connection.close()
            self.connection = None
            return None
        if response.status in (429, 503):
            return None
        if response.status != 200:
            self.clients.acks.note(refused=response.status, text=text.decode(errors="replace"))
            return {}
        return json.loads(text)

    def until_answered(self, media, body):
        while not self.clients.stopped:
            answer = self.post(media, body)
            if answer is not None:
                return answer
            time.sleep(AGAIN_S)
        return {}

    def step(self):
        way = self.random.random()
        count = 1 if way < 0.5 else self.random.randrange(2, 30)
        events = [self.event() for _ in range(count)]
        ids = [event["id"] for event in events]
        if way < 0.5:
            answer = self.until_answered("application/cloudevents+json", json.dumps(events[0]))
            places = [answer["position"]] if answer else []
        elif way < 0.8:
            answer = self.until_answered("application/cloudevents-batch+json", json.dumps(events))
            places = answer.get("positions", [])
        else:
            body = "".join(json.dumps(event) + "\n" for event in events)
            answer = self.until_answered("application/x-ndjson", body)
            self.note_lines(ids, answer)
            return
        if answer:
            self.clients.acks.note(source=events[0]["source"], ids=ids, positions=places)

    def note_lines(self, ids, answer):
        """NDJSON tells the first and the last place, and how many it took."""
        if answer:
            self.clients.acks.note(
                source="/producers/%d" % self.number,
                ids=ids,
                accepted=answer["accepted"],
                repeated=answer["repeated"],
                first=answer["first"],
                last=answer["last"],
            )

    def run(self):
        while not self.clients.stopped:
            self.clients.rest()
            if not self.clients.stopped:
                self.step()


class Tail(threading.Thread):
    """Follows the log through each restart: behind the last event that it was shown."""

    def __init__(self, clients):
        super().__init__(daemon=True)
        self.clients = clients
        self.last = None

    def follow(self):
        headers = {"Accept": "text/event-stream"}
        if self.last:
            headers["Last-Event-ID"] = self.last
        connection = http.client.HTTPConnection("127.0.0.1", self.clients.port, timeout=20)
        try:
            connection.request("GET", "/v1/events", headers=headers)
            response = connection.getresponse()
            if response.status != 200:
                return
            mark = None
            for line in response:
                if line.startswith(b"id: "):
                    mark = line[4:].decode().strip()
                elif line.startswith(b"data: ") and line.endswith(b"\n"):
                    item = json.loads(line[6:])
                    self.clients.seen.note(position=item["position"], id=item["event"]["id"])
                    self.last = mark
        finally:
            connection.close()

    def run(self):
        while not self.clients.stopped:
            try:
                self.follow()
            except (OSError, ValueError, http.client.HTTPException):
                pass
            time.sleep(AGAIN_S)


class Operator(threading.Thread):
    """Sends some dead letters again, and drops some. What became of it, the log says."""

    def __init__(self, clients, seed):
        super().__init__(daemon=True)
        self.clients = clients
        self.random = random.Random("operator %s" % seed)

    def decide(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.clients.port, timeout=20)
        try:
            connection.request("GET", "/v1/dead?limit=20")
            dead = json.loads(connection.getresponse().read()).get("dead", [])
            chosen = [letter["row"] for letter in dead if self.random.random() < 0.4]
            if chosen:
                verdict = self.random.choice(["retry", "retry", "drop"])
                body = json.dumps({"rows": chosen})
                headers = {"Content-Type": "application/json"}
                connection.request("POST", "/v1/dead/" + verdict, body, headers)
                connection.getresponse().read()
        finally:
            connection.close()

    def run(self):
        while not self.clients.stopped:
            self.clients.rest()
            try:
                self.decide()
            except (OSError, ValueError, http.client.HTTPException):
                pass
            time.sleep(self.random.uniform(0.05, 0.3))


class Clients:
    def __init__(self, port, folder, seed):
        self.port = port
        self.acks = Journal(folder + "/acks")
        self.seen = Journal(folder + "/seen")
        self.stopped = False
        self.gate = threading.Event()
        self.busy = 0
        self.lock = threading.Condition()
        self.producers = [Producer(self, number, seed) for number in range(THREADS)]
        self.working = [*self.producers, Operator(self, seed)]
        self.tail = Tail(self)

    def rest(self):
        """A producer, or the operator, between two requests."""
        with self.lock:
            self.busy -= 1
            self.lock.notify_all()
        self.gate.wait()
        with self.lock:
            self.busy += 1

    def pause(self):
        self.gate.clear()
        with self.lock:
            self.lock.wait_for(lambda: self.busy <= 0)

    def stop(self):
        self.stopped = True
        self.gate.set()
        for thread in self.producers:
            thread.join()

    def serve(self):
        self.busy = len(self.working)
        for thread in [*self.working, self.tail]:
            thread.start()
        for line in sys.stdin:
            {"pause": self.pause, "go": self.gate.set, "stop": self.stop}[line.strip()]()
            print(line.strip(), flush=True)
            if self.stopped:
                break


if __name__ == "__main__":
    Clients(int(sys.argv[1]), sys.argv[2], sys.argv[3]).serve()
