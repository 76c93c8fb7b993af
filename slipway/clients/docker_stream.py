"""The Docker engine's answers: streams of events in which errors come as ordinary lines.

The SDK raises for none of them (docker/docker-py#1772), so they are read here.
"""

import logging
import re
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

from slipway.domain.image import Digest, ImageReference
from slipway.domain.redaction import redacted
from slipway.errors import AccessDenied, BuildFailed, PushFailed, SlipwayError, Unreachable

LAST_LINES = 12
"""How much of a build's output its error repeats; the whole of it is in the log."""

_DENIED = re.compile(r"denied|unauthorized|authentication required|insufficient_scope|forbidden")
_NOT_NOW = re.compile(
    r"connection (?:refused|reset)|broken pipe|timeout|deadline exceeded|EOF|no route to host|"
    r"toomanyrequests|too many requests|received unexpected HTTP status: 5|server error|"
    r"(?:status|code):? 5[0-9][0-9]|no such host|temporar",
    re.IGNORECASE,
)

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")

Event = Mapping[str, Any]


class EngineRefused(Exception):
    """The engine's own words for a request that it answered with an error."""


def read_build(events: Iterable[Event], what: str, log: logging.Logger) -> str:
    """Log a build's output line by line; the id of the image, or `BuildFailed`.

    The engine sends what a step writes as it comes, also half a line.
    """
    tail: deque[str] = deque(maxlen=LAST_LINES)
    image_id, begun = "", ""
    for event in events:
        *lines, begun = (begun + _COLOUR.sub("", str(event.get("stream") or ""))).split("\n")
        problem = _problem(event)
        if problem is not None:
            lines.append(begun)
        for line in map(redacted, filter(str.strip, lines)):
            tail.append(line.rstrip())
            log.info("%s", line.rstrip())
        if problem is not None:
            raise BuildFailed(
                f"{what} could not be built: {redacted(problem)}; last output: "
                f"{' | '.join(tail)}; mend the Dockerfile or what it builds, and deploy the new "
                "commit"
            )
        image_id = str((event.get("aux") or {}).get("ID") or image_id)
    if not image_id:
        raise Unreachable(
            f"the engine stopped telling of the build of {what} before it named an image: check "
            "the engine and try again"
        )
    return image_id


def read_push(events: Iterable[Event], reference: ImageReference) -> Digest:
    """The digest that the engine says the registry took, or why it did not take it."""
    digest: Digest | None = None
    for event in events:
        if (problem := _problem(event)) is not None:
            raise push_error(reference, problem)
        aux = event.get("aux") or {}
        if aux.get("Tag") == reference.tag and "Digest" in aux:
            digest = Digest(str(aux["Digest"]))
    if digest is None:
        raise Unreachable(
            f"the engine stopped telling of the push of {reference} before it was done: check the "
            "engine and try again"
        )
    return digest


def push_error(reference: ImageReference, problem: str) -> SlipwayError:
    """What a push's error line means for whoever could try again."""
    said = redacted(problem)
    if _DENIED.search(problem):
        return AccessDenied(
            f"push of {reference} denied: {said}; give the account the right to push to this "
            "package (write:packages), or configure another account"
        )
    if _NOT_NOW.search(problem):
        return Unreachable(
            f"push of {reference} did not get through: {said}; check the registry and try again"
        )
    return PushFailed(f"push of {reference} failed: {said}; see the engine's own log")


def _problem(event: Event) -> str | None:
    if "error" not in event and "errorDetail" not in event:
        return None
    detail = (event.get("errorDetail") or {}).get("message")
    return " ".join(str(detail or event.get("error")).split())
