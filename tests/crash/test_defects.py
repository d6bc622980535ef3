"""Seeded defects: the harness must catch each, for the right reason; so it would real ones."""

import pytest
from campaign import Campaign
from checker import check
from support.engine import FAULTS_PROGRAM
from volume import Volume

CYCLES, CAMPAIGNS = 10, 6

# What the checker has to complain of, one of these at least.
BY_KILL = {
    "position-before-state": {"fold"},
    "row-before-commit": {"committed_first"},
    "lost-timer": {"retries_kept", "tries_listed"},
    "reused-offset": {"acknowledged", "readers"},
    "reader-ahead": {"readers"},
}
BY_POWER = {"no-fsync": {"acknowledged"}, "ack-before-fsync": {"acknowledged"}}


def caught(campaigns, reasons):
    """A defect shows by chance: in the first campaigns that it can."""
    complaints = {}
    for campaign in campaigns:
        complaints = check(campaign.run(CYCLES))
        if reasons & set(complaints):
            return True
    raise AssertionError("%s was not complained of, but %s" % (reasons, complaints))


@pytest.fixture
def campaigns(request, tmp_path):
    """One after another, each on data of its own, until the test has seen enough."""
    opened = []

    def make(fault, with_power=False):
        for seed in range(CAMPAIGNS):
            folder = tmp_path / str(seed)
            volume = Volume(folder / "disk").mount() if with_power else None
            opened.append(volume)
            opened.append(
                Campaign(folder, FAULTS_PROGRAM, fault, seed, volume=volume, patience_s=3)
            )
            yield opened[-1]

    if not FAULTS_PROGRAM.exists():
        pytest.skip("there is no build with seeded defects: ./dev test crash makes it")
    yield make
    for one in reversed(opened):
        if one:
            one.close()


@pytest.mark.parametrize("fault", BY_KILL)
def test_defect(campaigns, fault):
    assert caught(campaigns(fault), BY_KILL[fault])


@pytest.mark.parametrize("fault", BY_POWER)
def test_defect_by_power(campaigns, power, fault):
    assert caught(campaigns(fault, with_power=True), BY_POWER[fault])
