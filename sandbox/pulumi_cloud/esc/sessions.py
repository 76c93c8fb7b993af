"""Opened environments, kept in memory for as long as they were opened for."""

import re
import secrets
from typing import Any

from sandbox.pulumi_cloud.errors import bad_request, not_found
from sandbox.pulumi_cloud.updates import Clock

DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?")
DEFAULT_SECONDS = 7200.0


class Sessions:
    """Sessions by identifier; a restart closes them all."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._open: dict[str, tuple[float, dict[str, Any]]] = {}

    def keep(self, environment: dict[str, Any], seconds: float) -> str:
        """A new session's identifier."""
        now = self._clock()
        self._open = {key: kept for key, kept in self._open.items() if kept[0] > now}
        identifier = secrets.token_hex(16)
        self._open[identifier] = (now + seconds, environment)
        return identifier

    def get(self, identifier: str) -> dict[str, Any]:
        """The environment that a session holds."""
        end, environment = self._open.get(identifier, (0.0, {}))
        if self._clock() >= end:
            raise not_found(f"open session '{identifier}' not found")
        return environment


def seconds_of(duration: str | None) -> float:
    """A duration as Go writes it: `2h0m0s`."""
    if not duration:
        return DEFAULT_SECONDS
    match = DURATION.fullmatch(duration)
    if match is None:
        raise bad_request(f"{duration!r} is not a duration such as 2h0m0s")
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds
