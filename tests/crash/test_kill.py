"""kill -9 under load, at random moments."""

import pytest
from campaign import KILLS
from checker import INVARIANTS


@pytest.mark.parametrize("invariant", INVARIANTS)
def test_kill(killed, invariant):
    assert not killed.complaints.get(invariant)


def test_kill_was_worth_it(killed):
    """There was something to lose: each kind of event, retries, dead letters, all the kills."""
    evidence = killed.evidence
    assert len(evidence.kills) == KILLS
    assert all(len(evidence.of_type[type]) > 100 for type in ("count", "work", "echo", "worked"))
    assert evidence.of_type["dalamb.function.failed"]
    assert len(evidence.acks) > 10 * KILLS
    assert any(line.get("error") for line in evidence.tries)
    assert evidence.of_type["dalamb.dead.retried"] and evidence.of_type["dalamb.dead.dropped"]
