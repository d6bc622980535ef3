"""Webhooks of GitHub: all examples that its own library of types is checked with."""

import hashlib
import hmac
import json
import subprocess
import tarfile
import urllib.parse

import pytest
from support.apps import need
from support.engine import offset_of

PACKAGE = "@octokit/webhooks-examples@7.6.1"
APP = {
    "dalamb.lua": """
github { secret = { secret "GITHUB_NEW", secret "GITHUB_OLD" } }
""",
    "rules/rules.lua": """
projection "events" {
  version = 1,
  on   = { type = prefix "com.github." },
  key  = "type",
  init = { n = 0 },
  fold = function(state, event) state.n = state.n + 1 return state end,
}
""",
}
# The mapping of CloudEvents gives these a type that ends otherwise than with their action.
OTHERWISE = {"deployment", "deployment_status", "github_app_authorization", "membership"}
OF_A_REPOSITORY = {"push", "issues", "pull_request", "release", "star", "fork", "check_run"}
SECRET = "It's a Secret to Everybody"


@pytest.fixture
def one(engine):
    return engine(APP, env={"GITHUB_NEW": "new secret", "GITHUB_OLD": SECRET})


def sign(body, secret=SECRET):
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def deliver(engine, name, payload, delivery, **headers):
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return engine.ask(
        "POST",
        "/hooks/github",
        body,
        {
            "Content-Type": "application/json",
            "User-Agent": "GitHub-Hookshot/abc",
            "X-GitHub-Event": name,
            "X-GitHub-Delivery": delivery,
            "X-Hub-Signature-256": sign(body),
            **headers,
        },
    )


@pytest.fixture(scope="session")
def examples(cache):
    """[{name, examples: [payload]}] of api.github.com."""
    npm = need("npm")
    path = cache / "webhooks-examples.json"
    if not path.exists():
        packed = subprocess.run(
            [npm, "pack", "--silent", PACKAGE], cwd=cache, capture_output=True, text=True
        )
        if packed.returncode != 0:
            pytest.skip("npm can't fetch %s: %s" % (PACKAGE, packed.stderr[-300:]))
        with tarfile.open(cache / packed.stdout.split()[-1]) as package:
            path.write_bytes(package.extractfile("package/api.github.com/index.json").read())
    return json.loads(path.read_text())


def test_all_examples(one, examples):
    sent = []
    for kind in examples:
        for payload in kind["examples"]:
            sent.append((kind["name"], payload))
            answer = deliver(one, *sent[-1], "d-%d" % len(sent))
            expected = 200 if kind["name"] == "ping" else 202
            assert answer.status in (expected, 202), (kind["name"], answer)
    assert len(sent) == 329
    events = {item["event"]["id"]: item["event"] for item in one.events(topic="events")}
    seen = set()
    for number, (name, payload) in enumerate(sent, 1):
        body = (name, json.dumps(payload))
        if name == "ping" or body in seen:
            assert "d-%d" % number not in events
            continue
        seen.add(body)
        event = events["d-%d" % number]
        action = payload.get("action")
        whole = "com.github.%s%s" % (name, "." + action if action else "")
        assert event["type"].startswith(whole) or name in OTHERWISE, event["type"]
        assert event["type"].startswith("com.github." + name)
        assert event["data"] == payload
        if name in OF_A_REPOSITORY:
            assert event["source"] == payload["repository"]["url"]


def test_redelivery_counts_once(one):
    payload = {"action": "opened", "issue": {"number": 1}, "repository": {"url": "https://x/r"}}
    assert deliver(one, "issues", payload, "d-1").status == 202
    assert deliver(one, "issues", payload, "d-1").status == 202
    assert deliver(one, "issues", payload, "d-2").status == 202  # the id is not signed
    (event,) = one.events(topic="events")
    entry = one.entry("events", "com.github.issues.opened", event["position"])
    assert entry.json["value"] == {"n": 1}
    assert offset_of(event["position"]) > 0


@pytest.mark.parametrize(
    "signature",
    [
        None,
        "",
        "sha256=",
        "sha256=" + "0" * 64,
        sign(b"{}", "another"),
        "sha1=" + "0" * 40,
        sign(b'{"zen":1}').upper(),
    ],
)
def test_wrong_signature(one, signature):
    headers = {
        "Content-Type": "application/json",
        "X-GitHub-Event": "push",
        "X-GitHub-Delivery": "d",
    }
    if signature is not None:
        headers["X-Hub-Signature-256"] = signature
    answer = one.ask("POST", "/hooks/github", b"{}", headers)
    assert answer.status == 401, answer
    assert one.events(topic="events") == []


def test_github_test_vector(one):
    """Secret, body and signature of GitHub's documentation: no JSON, but well signed."""
    signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    headers = {
        "X-GitHub-Event": "push",
        "X-GitHub-Delivery": "d",
        "X-Hub-Signature-256": signature,
        "Content-Type": "application/json",
    }
    answer = one.ask("POST", "/hooks/github", b"Hello, World!", headers)
    assert answer.status == 400, answer


def test_second_secret(one):
    body = b'{"ref":"refs/heads/main"}'
    answer = deliver(one, "push", body, "d", **{"X-Hub-Signature-256": sign(body, "new secret")})
    assert answer.status == 202


def test_form(one):
    payload = {"ref": "refs/heads/main", "repository": {"url": "https://x/r"}, "note": "a+b&c=ü"}
    body = ("payload=" + urllib.parse.quote_plus(json.dumps(payload))).encode()
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert deliver(one, "push", body, "d-form", **form).status == 202
    (item,) = one.events(topic="events")
    assert item["event"]["data"] == payload and item["event"]["type"] == "com.github.push"


def test_ping(one):
    assert deliver(one, "ping", {"zen": "Design for failure."}, "d").status in (200, 202)
    assert one.events(topic="events") == []
