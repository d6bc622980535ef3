import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from campaign import KILLS, POWER_LOSSES, SEED, Campaign  # noqa: E402
from checker import check  # noqa: E402
from neighbours.broker import QUICK, Broker, missing  # noqa: E402
from volume import Volume, unavailable  # noqa: E402


class Verdict:
    """A campaign that has run, with what the checker has to say."""

    def __init__(self, campaign, evidence):
        self.campaign = campaign
        self.evidence = evidence
        self.complaints = check(evidence)


@pytest.fixture(scope="session")
def power():
    """Skips where the power of a disk can't be cut."""
    why = unavailable()
    if why:
        pytest.skip(why)


@pytest.fixture(scope="session")
def killed(tmp_path_factory):
    campaign = Campaign(tmp_path_factory.mktemp("killed"), seed=SEED)
    try:
        yield Verdict(campaign, campaign.run(KILLS))
    finally:
        campaign.close()


@pytest.fixture(scope="session")
def cut_off(tmp_path_factory, power):
    folder = tmp_path_factory.mktemp("cut-off")
    volume = Volume(folder / "disk").mount()
    try:
        campaign = Campaign(folder, seed=SEED, volume=volume)
        try:
            yield Verdict(campaign, campaign.run(POWER_LOSSES))
        finally:
            campaign.close()
    finally:
        volume.close()


@pytest.fixture(scope="session")
def broker(tmp_path_factory):
    why = missing()
    if why:
        pytest.skip(why)
    broker = Broker(tmp_path_factory.mktemp("broker"), java=QUICK)
    try:
        yield broker.start()
    finally:
        broker.close()


@pytest.fixture(scope="session")
def killed_on_kafka(tmp_path_factory, broker):
    from kafka_campaign import ENGINE_KILLS, KafkaCampaign

    campaign = KafkaCampaign(tmp_path_factory.mktemp("kafka"), broker, partitions=3, seed=SEED)
    try:
        yield Verdict(campaign, campaign.run(ENGINE_KILLS))
    finally:
        campaign.close()


@pytest.fixture(scope="session")
def broker_killed(tmp_path_factory, broker):
    from kafka_campaign import BROKER_KILLS, KafkaCampaign

    campaign = KafkaCampaign(tmp_path_factory.mktemp("brokers"), broker, partitions=1, seed=SEED)
    try:
        yield Verdict(campaign, campaign.run_with_broker_kills(BROKER_KILLS))
    finally:
        campaign.close()
