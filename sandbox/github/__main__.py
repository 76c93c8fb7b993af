"""Run by the repository after a push (post-receive): tell the webhook of every ref that moved."""

import argparse
import hashlib
import hmac
import json
import sys
import uuid
from pathlib import Path

import httpx

from sandbox.box import Box
from sandbox.github import part
from sandbox.github.push import payload

GIVES_UP_AFTER = 10.0


def main() -> None:
    """Read `BEFORE AFTER REF` lines, as git gives them to the hook."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.github", description=__doc__)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--repository", type=Path, required=True)
    chosen = parser.parse_args()
    for line in sys.stdin:
        before, after, ref = line.split()
        body = json.dumps(payload(chosen.repository, before, after, ref)).encode()
        print(f"github: {ref}: {deliver(Box(chosen.state), body)}")


def deliver(box: Box, body: bytes) -> str:
    """Send a signed delivery; the webhook's answer in a line."""
    secret = part.secret(box).encode()
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "GitHub-Hookshot/sandbox",
        "X-GitHub-Event": "push",
        "X-GitHub-Delivery": str(uuid.uuid4()),
        "X-GitHub-Hook-ID": "1",
        "X-Hub-Signature-256": f"sha256={hmac.new(secret, body, hashlib.sha256).hexdigest()}",
    }
    try:
        answer = httpx.post(
            part.webhook_address(box), content=body, headers=headers, timeout=GIVES_UP_AFTER
        )
    except httpx.TransportError as error:
        return f"the webhook did not answer ({type(error).__name__})"
    return f"the webhook answered {answer.status_code} {answer.text}"


if __name__ == "__main__":
    main()
