"""What OCI registries say over HTTP, read: digests, pauses asked for, pages, sizes."""

import email.utils
import hashlib
import json
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import urljoin

import httpx

from slipway.domain.image import Digest
from slipway.errors import RegistryUnusable

ACCEPT = (
    "application/vnd.oci.image.index.v1+json, "
    "application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.docker.distribution.manifest.v2+json"
)
"""Always sent: to `*/*` docker-registry 2.8 answers with a converted manifest of another digest."""

LARGEST_BODY = 4 * 1024 * 1024
"""Registries refuse larger manifests too (OCI distribution 1.1)."""

_PAUSE = re.compile(r"retry-after: *([0-9.]+) *(ms|µs|us|s)?", re.IGNORECASE)
_NEXT = re.compile(r"<([^>]*)>[^,]*;\s*rel=\"?next\b")
_UNITS = {"": 1.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6}


def digest_of(body: bytes) -> Digest:
    """The identity of a manifest or a configuration: the sha256 of its bytes."""
    return Digest(f"sha256:{hashlib.sha256(body).hexdigest()}")


@dataclass(frozen=True, slots=True)
class Answer:
    """A registry's answer, with a body that has been read whole and is not too large."""

    status: int
    headers: httpx.Headers
    body: bytes

    @property
    def digest(self) -> Digest | None:
        """The digest that the registry names, if it names one."""
        named = self.headers.get("docker-content-digest")
        return Digest(named) if named else None

    @property
    def media_type(self) -> str:
        """The content type without its parameters."""
        return str(self.headers.get("content-type", "")).partition(";")[0].strip()

    @property
    def is_not_now(self) -> bool:
        """Whether the same request may succeed later."""
        return self.status >= httpx.codes.INTERNAL_SERVER_ERROR or (
            self.status == httpx.codes.TOO_MANY_REQUESTS
        )

    @property
    def problem(self) -> str:
        """The registry's own words for an error, short enough for a message."""
        text = " ".join(self.body.decode("utf-8", "replace").split())
        try:
            errors = json.loads(self.body)["errors"]
            text = "; ".join(f"{each['code']}: {each.get('message', '')}" for each in errors)
        except (ValueError, KeyError, TypeError, AttributeError):
            pass  # not the error format of OCI: as it came
        return text[:300]


def pause_asked_for(answer: Answer) -> float | None:
    """Seconds that the registry asks us to wait; GHCR says it in the body, in milliseconds."""
    header = answer.headers.get("retry-after", "").strip()
    if header.isdecimal():
        return float(header)
    if header:
        try:
            when = email.utils.parsedate_to_datetime(header)
        except ValueError:
            return None
        return max(0.0, when.timestamp() - time.time())
    found = _PAUSE.search(answer.problem)
    return float(found.group(1)) * _UNITS[(found.group(2) or "").lower()] if found else None


def next_page(answer: Answer, address: str) -> str | None:
    """The next page of a list, from `Link` alone: registries ignore or cap `n` as they like."""
    found = _NEXT.search(answer.headers.get("link", ""))
    if found is None:
        return None
    try:
        here, target = httpx.URL(address), httpx.URL(urljoin(address, found.group(1)))
    except (ValueError, httpx.InvalidURL) as error:
        raise RegistryUnusable(
            f"{address} continues at {found.group(1)[:200]!r}, which is no address: check the "
            "registry"
        ) from error
    if target.netloc != here.netloc:
        raise RegistryUnusable(
            f"registry {here.netloc.decode()} continues its list at another host, "
            f"{target.netloc.decode()}: not followed; check the registry"
        )
    return target.raw_path.decode()


def _chunks(response: httpx.Response) -> AsyncIterator[bytes]:
    """What was sent: to a HEAD nothing that had to be decoded, but its end must be seen."""
    if response.request.method == "HEAD" and isinstance(response.stream, httpx.AsyncByteStream):
        return aiter(response.stream)
    return response.aiter_bytes()


async def read_body(response: httpx.Response) -> bytes:
    """Read an answer whole, unless it is larger than any manifest may be."""
    body = bytearray()
    async for chunk in _chunks(response):
        body += chunk
        if len(body) > LARGEST_BODY:
            raise RegistryUnusable(
                f"{response.request.url.host} sends more than {LARGEST_BODY} bytes for "
                f"{response.request.url.path}: no manifest is that large; check the registry"
            )
    return bytes(body)
