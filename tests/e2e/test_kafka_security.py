"""Listeners that want TLS, certificates, names and passwords."""

import re
import subprocess

import pytest
from kafka_support import on_kafka, settle, totals, unique  # noqa: F401
from neighbours.broker import PASSWORD, USER
from neighbours.kafka import Kafka
from support.engine import Refused, wait_for


def properties(**settings):
    inside = ", ".join(
        '["%s"] = "%s"' % (name.replace("_", "."), value) for name, value in settings.items()
    )
    return "kafka = { %s }" % inside


def sasl(mechanism, password=PASSWORD, protocol="sasl_plaintext", **more):
    return properties(
        security_protocol=protocol, sasl_mechanism=mechanism, sasl_username=USER,
        sasl_password=password, **more,
    )


def works(on_kafka, broker, listener, log):
    one = on_kafka(unique("secure"), log, address=broker.address_of(listener))
    position = one.send("t", 1)
    assert one.entry("counts", "t", position).json["value"] == {"n": 1}
    one.kill()
    one.start()
    assert totals(one) == {"t": {"n": 1}}
    assert PASSWORD not in one.said()
    return one


def refusal(on_kafka, broker, listener, log):
    with pytest.raises(Refused) as caught:
        on_kafka(unique("secure"), log, address=broker.address_of(listener))
    return str(caught.value)


def test_tls(on_kafka, broker):
    works(on_kafka, broker, "TLS",
          properties(security_protocol="ssl", ssl_ca_location=broker.certificates.ca))


def test_tls_of_a_stranger(on_kafka, broker):
    said = refusal(on_kafka, broker, "TLS",
                   properties(security_protocol="ssl", ssl_ca_location=broker.certificates.stranger))
    assert "certificate" in said


def test_mutual_tls(on_kafka, broker):
    of = broker.certificates
    works(on_kafka, broker, "MUTUAL",
          properties(security_protocol="ssl", ssl_ca_location=of.ca,
                     ssl_certificate_location=of.client, ssl_key_location=of.client_key))


def test_mutual_tls_without_a_certificate(on_kafka, broker):
    said = refusal(on_kafka, broker, "MUTUAL",
                   properties(security_protocol="ssl", ssl_ca_location=broker.certificates.ca))
    assert broker.address_of("MUTUAL") in said


def test_plain(on_kafka, broker):
    works(on_kafka, broker, "SASL", sasl("PLAIN"))


def test_plain_over_tls(on_kafka, broker):
    works(on_kafka, broker, "SASLTLS",
          sasl("PLAIN", protocol="sasl_ssl", ssl_ca_location=broker.certificates.ca))


def test_a_password_from_a_secret(on_kafka, broker):
    log = sasl("PLAIN").replace('"%s"' % PASSWORD, 'secret "KAFKA_PASSWORD"')
    one = on_kafka(
        unique("secret"), log, address=broker.address_of("SASL"), env={"KAFKA_PASSWORD": PASSWORD}
    )
    assert one.send("t", 1)


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256"])
def test_a_wrong_password(on_kafka, broker, mechanism):
    said = refusal(on_kafka, broker, "SASL", sasl(mechanism, password="not-the-word"))
    assert "authentication" in said.lower() and "not-the-word" not in said


def librdkafka():
    """Of this machine, as kcat has it."""
    said = subprocess.run(["kcat", "-V"], capture_output=True, text=True).stdout
    return tuple(map(int, re.search(r"librdkafka (\d+)\.(\d+)\.(\d+)", said).groups()))


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_scram(on_kafka, old_broker, mechanism):
    works(on_kafka, old_broker, "SASL", sasl(mechanism))


def test_scram_on_kafka_4(on_kafka, broker):
    """It takes none of librdkafka before 2.6.1: then the engine says what to do."""
    if librdkafka() >= (2, 6, 1):
        works(on_kafka, broker, "SASL", sasl("SCRAM-SHA-256"))
    else:
        said = refusal(on_kafka, broker, "SASL", sasl("SCRAM-SHA-256"))
        assert "2.6.1" in said and "PLAIN" in said


def test_a_broker_that_says_no(on_kafka, broker, kafka):
    """503, not an answer that nobody can rely on; and it is taken once it may be."""
    one = on_kafka(unique("denied"), sasl("PLAIN"), address=broker.address_of("SASL"))
    assert one.send("t", 1)
    kafka.deny(one.name + ".events", USER)
    answer = wait_for(lambda: (a := one.post("/v1/events", {
        "specversion": "1.0", "id": "x", "source": "/s", "type": "t"},
        {"Content-Type": "application/cloudevents+json"})).status != 200 and a, what="a refusal")
    assert answer.status == 503, answer
    kafka.undeny(one.name + ".events")
    wait_for(lambda: one.post("/v1/events", {
        "specversion": "1.0", "id": "y", "source": "/s", "type": "t"},
        {"Content-Type": "application/cloudevents+json"}).status == 200, what="an answer")
    settle(one)
    assert totals(one)["t"]["n"] >= 2
