"""The receiver is what docs/webhook.openapi.yaml says, for requests by the hundred made from it.

schemathesis knows no signatures: each request is signed here, so that most of them get past it.
"""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
import yaml
from hypothesis import HealthCheck, Phase, settings

from tests.webhook.requests import signature
from tests.webhook.serving import serving

DESCRIPTION = Path(__file__).parents[2] / "docs" / "webhook.openapi.yaml"
SIGNATURE = "X-Hub-Signature-256"

schema = schemathesis.openapi.from_dict(yaml.safe_load(DESCRIPTION.read_text()))


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A receiver in a thread of its own, where the test's loop does not stop it."""
    ready: list[int] = []
    started, ending = threading.Event(), threading.Event()

    async def serve() -> None:
        async with serving(trusted_proxies="127.0.0.1") as port:
            ready.append(port)
            started.set()
            await asyncio.to_thread(ending.wait)

    thread = threading.Thread(target=asyncio.run, args=[serve()])
    thread.start()
    assert started.wait(20)
    yield f"http://127.0.0.1:{ready[0]}"
    ending.set()
    thread.join()


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    with requests.Session() as made:
        yield made


@schema.parametrize()
@settings(
    max_examples=150,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_answers_are_as_described(case: Any, address: str, session: requests.Session) -> None:
    request = requests.Request(**case.as_transport_kwargs(base_url=address)).prepare()
    # A source of its own for each, so that none is too many.
    request.headers["X-Forwarded-For"] = f"2001:db8:{next(_numbers):x}::1"
    if request.headers.get(SIGNATURE, "").startswith("sha256="):
        body = request.body or b""
        signed = body if isinstance(body, bytes) else body.encode()
        request.headers[SIGNATURE] = signature(signed).decode()

    response = session.send(request)

    case.validate_response(response)


_numbers = iter(range(1, 1 << 16))
