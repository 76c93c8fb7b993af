"""What the receiver says no to, and how often it says why to one source."""

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass, field

BURST = 100.0
"""Refusals that a source may cause at once…"""
PER_SECOND = 2.0
"""…and how fast they are forgiven."""
MOST_SOURCES = 10_000
TOO_MANY = 429


class Refused(Exception):
    """A request that is answered with an error of its sender's."""

    def __init__(self, status: int, why: str, *headers: tuple[bytes, bytes]) -> None:
        super().__init__(why)
        self.status = status
        self.why = why
        self.headers = headers


@dataclass(slots=True)
class _Bucket:
    spent: float
    at: float


@dataclass(slots=True)
class RefusalLimit:
    """How much each source may still be refused before it is told to stay away for a while.

    Only refusals count, and only they are turned away: a signed delivery passes from any source.
    GitHub does not send again what was turned away, and strangers share its address: behind a proxy
    that is not trusted everybody does, and at GitHub itself everybody may have a webhook.
    """

    burst: float = BURST
    per_second: float = PER_SECOND
    most_sources: int = MOST_SOURCES
    _buckets: OrderedDict[str, _Bucket] = field(default_factory=OrderedDict)

    def wait(self, source: str, now: float) -> int:
        """Seconds that a source should stay away which was refused too often; 0 for any other."""
        bucket = self._buckets.get(_network(source)) if self._buckets else None
        if bucket is None or (over := self._spent(bucket, now) - self.burst) < 0:
            return 0
        return int(over / self.per_second) + 1

    def told(self, refused: Refused, source: str, now: float) -> Refused:
        """Count a refusal; what its source is told, which is 429 when it has been too many."""
        pause = self.wait(source, now)
        self.count(source, now)
        if not pause:
            return refused
        return Refused(
            TOO_MANY,
            "too many refused requests from this address",
            (b"retry-after", str(pause).encode()),
        )

    def count(self, source: str, now: float) -> None:
        """Remember a refusal; the sources that were quiet longest are forgotten first."""
        network = _network(source)
        bucket = self._buckets.pop(network, None)
        spent = self._spent(bucket, now) if bucket else 0.0
        self._buckets[network] = _Bucket(min(spent + 1, self.burst + self.per_second), now)
        while len(self._buckets) > self.most_sources:
            self._buckets.popitem(last=False)

    def _spent(self, bucket: _Bucket, now: float) -> float:
        return max(0.0, bucket.spent - (now - bucket.at) * self.per_second)


def _network(source: str) -> str:
    """One address of IPv4; of IPv6 the /64 that one host may have all addresses of."""
    if ":" not in source:
        return source
    try:
        return str(ipaddress.ip_network((source.partition("%")[0], 64), strict=False))
    except ValueError:
        return source
