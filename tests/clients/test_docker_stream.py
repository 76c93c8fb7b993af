"""The engine's streams are read to the end, and errors in them are errors (recorded, 20.10)."""

import logging
from typing import Any

import pytest

from slipway.clients.docker_stream import read_build, read_push
from slipway.domain.image import Digest, ImageReference
from slipway.errors import AccessDenied, BuildFailed, PushFailed, SlipwayError, Unreachable

LOG = logging.getLogger("slipway.clients.docker")
REFERENCE = ImageReference("ghcr.io/acme/adapter", "1" * 40)
DIGEST = f"sha256:{'a' * 64}"
PUSHED: list[dict[str, Any]] = [
    {"status": "The push refers to repository [ghcr.io/acme/adapter]"},
    {"status": "Preparing", "progressDetail": {}, "id": "5f70bf18a086"},
    {"status": "Pushed", "progressDetail": {}, "id": "5f70bf18a086"},
    {"status": f"{'1' * 40}: digest: {DIGEST} size: 735"},
]
PUSHED_AUX: dict[str, Any] = {
    "progressDetail": {},
    "aux": {"Tag": "1" * 40, "Digest": DIGEST, "Size": 735},
}
BUILT: list[dict[str, Any]] = [
    {"stream": "Step 1/2 : FROM example-base:1"},
    {"stream": "\n"},
    {"stream": " ---> 585f77af5264\n"},
    {"aux": {"ID": "sha256:0123"}},
    {"stream": "Successfully built 0123\n"},
]


def test_a_build_gives_its_image_and_logs_each_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    assert read_build(BUILT, "image of adapter", LOG) == "sha256:0123"

    assert [each.message for each in caplog.records] == [
        "Step 1/2 : FROM example-base:1",
        " ---> 585f77af5264",
        "Successfully built 0123",
    ]


def test_a_build_is_logged_and_told_without_the_credentials_that_it_prints(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    events: list[dict[str, Any]] = [
        {"stream": "Step 1/2 : ENV NPM_TOKEN=canary-npm\n"},
        {"stream": "fetching https://canary"},
        {"stream": "-git@github.com/acme/shop\n"},
        {"error": "https://robot:canary-pull@ghcr.io answered 500"},
    ]

    with pytest.raises(BuildFailed) as failed:
        read_build(events, "image of adapter", LOG)

    assert "Step 1/2 : ENV NPM_TOKEN=***" in caplog.messages
    assert "canary" not in "".join([*caplog.messages, str(failed.value)])


def test_a_failed_build_tells_the_error_with_the_last_output() -> None:
    message = "The command '/bin/sh -c make' returned a non-zero code: 2"
    events: list[dict[str, Any]] = [
        *BUILT[:3],
        {"stream": "\x1b[91mmain.c:3: \x1b[0m"},
        {"stream": "\x1b[91merror: \x1b[0m"},
        {"stream": "\x1b[91mexpected ';'\n\x1b[0m"},
        {"stream": "make: stopped"},
        {"errorDetail": {"code": 2, "message": message}, "error": message},
    ]

    with pytest.raises(BuildFailed) as failed:
        read_build(events, "image of adapter", LOG)

    assert message in str(failed.value)
    assert "main.c:3: error: expected ';' | make: stopped;" in str(failed.value)
    assert "\x1b" not in str(failed.value)


def test_a_build_whose_stream_breaks_off_is_not_a_build() -> None:
    with pytest.raises(Unreachable, match="before it named an image"):
        read_build(BUILT[:2], "image of adapter", LOG)


def test_a_push_gives_the_digest_of_our_tag() -> None:
    other: dict[str, Any] = {"aux": {"Tag": "main", "Digest": f"sha256:{'b' * 64}", "Size": 1}}

    assert read_push([*PUSHED, PUSHED_AUX, other], REFERENCE) == Digest(DIGEST)


def test_a_push_whose_stream_breaks_off_is_not_a_push() -> None:
    with pytest.raises(Unreachable, match="before it was done"):
        read_push(PUSHED, REFERENCE)


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("denied: requested access to the resource is denied", AccessDenied),
        ("unauthorized: authentication required", AccessDenied),
        ("no basic auth credentials: authentication required", AccessDenied),
        ("dial tcp 127.0.0.1:1: connect: connection refused", Unreachable),
        ("received unexpected HTTP status: 503 Service Unavailable", Unreachable),
        ("toomanyrequests: retry-after: 1.16ms", Unreachable),
        ("write tcp: broken pipe", Unreachable),
        ("unexpected EOF", Unreachable),
        ("blob upload invalid", PushFailed),
        ("An image does not exist locally with the tag: ghcr.io/acme/adapter", PushFailed),
    ],
)
def test_a_push_that_fails_says_whether_trying_again_helps(
    message: str, kind: type[SlipwayError]
) -> None:
    error: dict[str, Any] = {"errorDetail": {"message": message}, "error": message}

    with pytest.raises(kind, match="1111111"):
        read_push([*PUSHED[:2], error], REFERENCE)


def test_an_error_after_the_digest_is_still_an_error() -> None:
    error: dict[str, Any] = {"errorDetail": {"message": "unexpected EOF"}, "error": "x"}

    with pytest.raises(Unreachable):
        read_push([*PUSHED, PUSHED_AUX, error], REFERENCE)
