"""Campaigns on a broker, which is killed too: an engine's kill must not lose what it was told, a
broker's kill must cost nothing but time."""

import os
import time

from campaign import Campaign, lines_of
from neighbours.kafka import Kafka
from support.engine import inspect, offset_of, partition_of, wait_for

ENGINE_KILLS = int(os.environ.get("DALAMB_TEST_KAFKA_KILLS", 30))
BROKER_KILLS = int(os.environ.get("DALAMB_TEST_BROKER_KILLS", 10))
AWAY_S = (0.0, 2.0)


class KafkaCampaign(Campaign):
    on_kafka = True

    def __init__(self, folder, broker, partitions, seed=1):
        self.broker, self.partitions = broker, partitions
        self.name = "crash-%d-%s" % (partitions, os.urandom(4).hex())
        super().__init__(
            folder,
            seed=seed,
            patience_s=60,
            env={"DALAMB_LOG_KIND": "kafka", "DALAMB_LOG_BROKERS": broker.address},
            name=self.name,
            partitions=partitions,
        )
        self.log_id = None

    def committed(self):
        marks = inspect("position", self.engine.data, self.log_id, self.partitions)
        return {partition_of(mark): offset_of(mark) for mark in marks}

    def crash(self, quiet):
        self.log_id = self.log_id or self.engine.status()["log"]["id"]
        super().crash(quiet)

    def kill_broker(self):
        """The engine runs on, and so do those who send."""
        self.load(quiet=False)
        self.broker.kill()
        time.sleep(self.random.uniform(*AWAY_S))
        self.broker.start()

    def run_with_broker_kills(self, cycles):
        self.engine.start()
        self.clients.tell("go")
        try:
            for _ in range(cycles):
                self.kill_broker()
                self.wait_for_acks()
        except (OSError, AssertionError) as error:
            self.trouble("broker's kill", error)
        self.stop()
        self.finish()
        return self.evidence

    def wait_for_acks(self):
        """The engine has all that is its own, and whoever sends gets on."""
        wait_for(lambda: self.engine.get("/readyz").status == 200, 60, "readiness after a kill", 0.1)
        before = len(lines_of(self.folder / "acks"))
        wait_for(
            lambda: len(lines_of(self.folder / "acks")) > before + 20, 60, "events after a kill", 0.1
        )

    def collect_projections(self):
        if self.partitions == 1:
            super().collect_projections()
        else:
            self.evidence.sums = self.engine.entries("sums")
            self.evidence.completions = self.evidence.emitted = None

    def collect(self):
        super().collect()
        kafka = Kafka(self.broker.address)
        self.evidence.others = [
            ("%s/%d/%d" % (topic, record.partition, record.offset), record.headers["ce_id"])
            for topic in ("events", "system")
            for record in kafka.read("%s.%s" % (self.name, topic))
        ]

    def wait_for_tail(self):
        ends = {partition_of(item["position"]): item["position"] for item in self.evidence.log}

        def shown():
            seen = {line["position"] for line in lines_of(self.folder / "seen")}
            return seen.issuperset(ends.values())

        wait_for(shown, what="the tail's end", every_s=0.5)
