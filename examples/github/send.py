#!/usr/bin/env python3
"""Sends recorded GitHub webhooks, signed as GitHub signs them, to a running engine.

    GITHUB_SECRET=... ./send.py                        the payloads of this folder
    GITHUB_SECRET=... ./send.py FILE...                others: their names hold the event, NN.EVENT.json
    GITHUB_SECRET=... ./send.py --octokit FOLDER       all examples of npm's @octokit/webhooks-examples
"""

import argparse
import hashlib
import hmac
import json
import os
import pathlib
import sys
import urllib.error
import urllib.request
import uuid

HERE = pathlib.Path(__file__).resolve().parent


def recorded(files):
    for file in files:
        parts = file.name.split(".")
        yield parts[-2], file.read_bytes()


def examples(folder):
    """The package keeps them all in one file: a list of {name, examples}."""
    index = next(iter(sorted(folder.glob("**/api.github.com/index.json"))), None)
    if index is None:
        sys.exit(f"{folder}: no api.github.com/index.json below; unpack the package here")
    for event in json.loads(index.read_text()):
        for example in event["examples"]:
            yield event["name"], json.dumps(example).encode()


def send(url, secret, event, body):
    """GitHub gives every delivery an id; the same body gets the same one here, so that it is a repeat."""
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "GitHub-Hookshot/send.py",
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": str(uuid.uuid5(uuid.NAMESPACE_URL, hashlib.sha256(body).hexdigest())),
        "X-Hub-Signature-256": "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest(),
    }
    request = urllib.request.Request(url, body, headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except urllib.error.URLError as error:
        sys.exit(f"could not reach {url}: {error.reason}; is `dalamb run` running? use --url")


def main():
    parser = argparse.ArgumentParser(description="Sends recorded GitHub webhooks, signed.")
    parser.add_argument("files", nargs="*", type=pathlib.Path, help="default: those in payloads/")
    parser.add_argument("--url", default=os.environ.get("DALAMB_URL", "http://127.0.0.1:8080"))
    parser.add_argument("--octokit", type=pathlib.Path, metavar="FOLDER")
    parser.add_argument("--quiet", action="store_true", help="only the sum")
    options = parser.parse_args()
    secret = os.environ.get("GITHUB_SECRET")
    if not secret:
        sys.exit("GITHUB_SECRET is not set: it is the one that the engine was started with")
    if options.octokit:
        deliveries = examples(options.octokit)
    else:
        deliveries = recorded(options.files or sorted((HERE / "payloads").glob("*.json")))
    sent = failed = 0
    for event, body in deliveries:
        status, answer = send(options.url.rstrip("/") + "/hooks/github", secret.encode(), event, body)
        sent += 1
        failed += status // 100 != 2
        if not options.quiet or status // 100 != 2:
            print(f"{event:<28} {status}  {answer.strip()}")
    print(f"{sent} sent, {failed} refused")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
