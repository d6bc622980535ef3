"""On Kafka: engines killed, brokers killed, and the same checker."""

import pytest
from checker import INVARIANTS
from kafka_campaign import BROKER_KILLS, ENGINE_KILLS


@pytest.mark.parametrize("invariant", INVARIANTS)
def test_engine_killed(killed_on_kafka, invariant):
    assert not killed_on_kafka.complaints.get(invariant)


def test_engine_killed_was_worth_it(killed_on_kafka):
    evidence = killed_on_kafka.evidence
    assert len(evidence.kills) == ENGINE_KILLS
    assert all(evidence.of_type[type] for type in ("count", "work", "echo", "worked"))
    assert any(line.get("error") for line in evidence.tries)


@pytest.mark.parametrize("invariant", INVARIANTS)
def test_broker_killed(broker_killed, invariant):
    assert not broker_killed.complaints.get(invariant)


def test_broker_killed_was_worth_it(broker_killed):
    evidence = broker_killed.evidence
    assert len(evidence.acks) > 20 * BROKER_KILLS
    assert all(evidence.of_type[type] for type in ("count", "work", "echo", "worked"))
