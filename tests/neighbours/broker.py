#!/usr/bin/env python3
"""A real Kafka broker: one node, KRaft, on this machine's loopback only.

As a program, for people (./dev kafka): broker.py FOLDER PORT runs it until Ctrl-C. As a class, for
tests: it is started on free ports, killed, paused, and started again on what it had.
"""

import base64
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parents[1])]

from neighbours.certificates import Certificates  # noqa: E402
from support.engine import ROOT, end_with_parent, free_port, wait_for  # noqa: E402

JARS = ROOT / "build/kafka/jars"
OLD_JARS = ROOT / "build/kafka/jars-3.9.1"
START_S = 90
STOP_S = 60
MEMORY = "-Xmx512m"

# One node holds all copies there are.
ALONE = {
    "process.roles": "broker,controller",
    "node.id": 1,
    "offsets.topic.replication.factor": 1,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1,
    "group.initial.rebalance.delay.ms": 0,
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "OPEN",
}

# For tests: quick to start, quick to forget, and nothing that nobody asked for.
FOR_TESTS = {
    "auto.create.topics.enable": "false",
    "offsets.topic.num.partitions": 4,
    "transaction.state.log.num.partitions": 4,
    "share.coordinator.state.topic.num.partitions": 1,
    "log.retention.check.interval.ms": 300,
    "log.initial.task.delay.ms": 300,
    "log.segment.delete.delay.ms": 0,
    "log.cleaner.backoff.ms": 300,
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": 500,
    "group.min.session.timeout.ms": 500,
    "broker.session.timeout.ms": 1000,  # a killed one is waited for as long
    "broker.heartbeat.interval.ms": 200,
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "allow.everyone.if.no.acl.found": "true",
    "super.users": "User:ANONYMOUS",
}
QUICK = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]

# Who may come in by SASL, in PLAIN and SCRAM alike.
USER, PASSWORD = "alice", "alice-secret"

# The listeners: their names, and what they speak.
PROTOCOLS = {
    "OPEN": "PLAINTEXT",
    "TLS": "SSL",
    "MUTUAL": "SSL",  # asks for the client's certificate
    "SASL": "SASL_PLAINTEXT",
    "SASLTLS": "SASL_SSL",
}


def missing(jars=JARS):
    """Why no broker can be had here; None if it can."""
    if not shutil.which("java"):
        return "there is no java: ./dev test installs it"
    if not any(jars.glob("kafka_*.jar")):
        return "there is no Kafka in %s: ./dev test fetches it" % jars
    return None


def sasl_settings():
    modules = "org.apache.kafka.common.security."
    settings = {}
    for listener in ("sasl", "sasltls"):
        name = "listener.name.%s." % listener
        settings[name + "sasl.enabled.mechanisms"] = "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512"
        settings[name + "plain.sasl.jaas.config"] = (
            modules + 'plain.PlainLoginModule required user_%s="%s";' % (USER, PASSWORD)
        )
        for mechanism in ("scram-sha-256", "scram-sha-512"):
            settings[name + mechanism + ".sasl.jaas.config"] = (
                modules + "scram.ScramLoginModule required;"
            )
    return settings


class Broker:
    """`port` is the open listener's. With `secure` there are those of PROTOCOLS, too; their ports
    are in `ports`, by name. `settings` are Kafka's own, over FOR_TESTS."""

    def __init__(self, folder, port=None, secure=False, settings=None, java=(), jars=JARS):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log = self.folder / "broker.log"
        self.java = ["java", MEMORY, *java]
        self.jars = jars
        self.ports = {name: free_port() for name in PROTOCOLS} if secure else {}
        self.ports["OPEN"] = port or free_port()
        self.controller = port + 1 if port else free_port()
        self.certificates = Certificates(self.folder / "certificates") if secure else None
        self.settings = {**(FOR_TESTS if settings is None else settings)}
        self.process = None

    @property
    def port(self):
        return self.ports["OPEN"]

    @property
    def address(self):
        return self.address_of("OPEN")

    def address_of(self, listener):
        return "127.0.0.1:%d" % self.ports[listener]

    # --- its file ---

    def _listeners(self):
        ports = ["%s://%s" % (name, self.address_of(name)) for name in self.ports]
        controller = "127.0.0.1:%d" % self.controller
        protocols = ["%s:%s" % (name, PROTOCOLS[name]) for name in self.ports]
        return {
            "listeners": ",".join([*ports, "CONTROLLER://" + controller]),
            "advertised.listeners": ",".join(ports),
            "listener.security.protocol.map": ",".join([*protocols, "CONTROLLER:PLAINTEXT"]),
            "controller.quorum.bootstrap.servers": controller,
        }

    def _security(self):
        if not self.certificates:
            return {}
        return {
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": self.certificates.server,
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": self.certificates.ca,
            "listener.name.mutual.ssl.client.auth": "required",
            **sasl_settings(),
        }

    def _write_file(self):
        settings = {**ALONE, **self._listeners(), **self._security(), **self.settings}
        settings["log.dirs"] = self.folder / "data"
        text = "".join("%s=%s\n" % setting for setting in settings.items())
        (self.folder / "server.properties").write_text(text)

    # --- life ---

    def _command(self, main, *words):
        classes = ["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", str(self.jars / "*")]
        return [*self.java, *classes, main, *map(str, words)]

    def _format(self):
        """Makes the data's folder; a broker that has one keeps it."""
        if (self.folder / "data/meta.properties").exists():
            return
        id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        users = []
        for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
            users += ["--add-scram", "%s=[name=%s,password=%s]" % (mechanism, USER, PASSWORD)]
        done = subprocess.run(
            self._command(
                "kafka.tools.StorageTool", "format", "--standalone",
                "--cluster-id=" + id, "-c", self.folder / "server.properties", *users,
            ),
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise OSError("kafka can't format %s: %s" % (self.folder, done.stdout + done.stderr))

    def launch(self):
        self._write_file()
        self._format()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command("kafka.Kafka", self.folder / "server.properties"),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=end_with_parent,
            )

    def start(self):
        self.launch()
        wait_for(self.is_up, START_S, "a broker's start (%s)" % self.log, every_s=0.05)
        return self

    def is_up(self):
        if self.process.poll() is not None:
            raise OSError("the broker ended: " + self.log.read_text()[-2000:])
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            return True
        except OSError:
            return False

    def kill(self):
        """As a machine does that crashes."""
        self.process.kill()
        self.process.wait()

    def pause(self):
        """It keeps its connections, and says nothing."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(STOP_S)

    def close(self):
        """Whatever it does: afterwards it is gone."""
        if self.process and self.process.poll() is None:
            self.kill()


def main():
    folder, port = sys.argv[1], int(sys.argv[2])
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            sys.exit("kafka: something listens on port %d already: name another" % port)
    broker = Broker(folder, port, settings={})
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        broker.start()
        print("kafka: on %s, its data in %s; Ctrl-C stops it" % (broker.address, folder))
        print("\nPaste this into a second terminal, in this folder:\n")
        print("  DALAMB_LOG_KIND=kafka DALAMB_LOG_BROKERS=%s ./dev run\n" % broker.address)
        sys.stdout.flush()
        broker.process.wait()
        sys.exit("kafka: the broker ended, see %s" % broker.log)
    except KeyboardInterrupt:
        broker.stop()
    except (OSError, AssertionError) as error:
        sys.exit("kafka: %s" % error)
    finally:
        broker.close()


if __name__ == "__main__":
    main()
