"""What other people's tools put into a registry: an image, an index, a signature."""

import json
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import httpx

from sandbox import image_registry
from sandbox.box import Box
from sandbox.token_issuer.accounts import PUBLISHER
from slipway.clients.registry_http import digest_of
from slipway.domain.image import Digest
from slipway.domain.signature import SignedPayload, signature_tag
from tests.signing import signature_manifest

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = b"{}"
CONFIGURATIONS = {
    MANIFEST: "application/vnd.docker.container.image.v1+json",
    OCI_MANIFEST: "application/vnd.oci.image.config.v1+json",
}


def days_ago(count: int) -> datetime:
    """So long ago."""
    return datetime.now(UTC) - timedelta(days=count)


def put_image(
    box: Box,
    repository: str,
    commit: str,
    made: datetime,
    *,
    tagged: bool = True,
    architecture: str = "amd64",
) -> Digest:
    """An image like no other, with nothing in it but its label; its digest."""
    said = {
        "architecture": architecture,
        "os": "linux",
        "created": made.isoformat(),
        "config": {"Labels": {"org.opencontainers.image.revision": commit}},
        "comment": secrets.token_hex(8),
    }
    return _put(box, repository, MANIFEST, said, commit if tagged else "")


def put_attestation(box: Box, repository: str) -> Digest:
    """What a builder says of how it made an image, without a tag; its digest."""
    said = {"architecture": "unknown", "os": "unknown", "comment": secrets.token_hex(8)}
    return _put(box, repository, OCI_MANIFEST, said, "")


def _put(box: Box, repository: str, kind: str, said: Mapping[str, object], tag: str) -> Digest:
    """A manifest without layers whose configuration says this."""
    config = json.dumps(said).encode()
    content = {
        "schemaVersion": 2,
        "mediaType": kind,
        "config": _described(CONFIGURATIONS[kind], config),
        "layers": [],
    }
    body = json.dumps(content).encode()
    digest = digest_of(body)
    with _client(box, repository) as client:
        _put_blob(client, config)
        _put_manifest(client, tag or str(digest), kind, body)
    return digest


def put_variant(
    box: Box,
    repository: str,
    like: Digest,
    tag: str,
    labels: Mapping[str, str],
    architecture: str = "amd64",
) -> Digest:
    """An image with the layers of another one, whose configuration says something else of it."""
    with _client(box, repository) as client:
        there = client.get(f"manifests/{like}", headers={"Accept": MANIFEST}).raise_for_status()
        content = there.json()
        blob = f"blobs/{content['config']['digest']}"
        said = client.get(blob, follow_redirects=True).raise_for_status().json()
        said |= {"architecture": architecture, "config": {**said["config"], "Labels": labels}}
        config = json.dumps(said).encode()
        _put_blob(client, config)
        content["config"] = _described(content["config"]["mediaType"], config)
        body = json.dumps(content).encode()
        _put_manifest(client, tag, MANIFEST, body)
    return digest_of(body)


def put_index(
    box: Box, repository: str, parts: Mapping[Digest, str | None], tag: str = ""
) -> Digest:
    """An index of these parts, with their platforms; None is an attestation of the first part's."""
    first = next(iter(parts))
    with _client(box, repository) as client:
        named = [_named(client, part, platform, first) for part, platform in parts.items()]
        body = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": named}).encode()
        digest = digest_of(body)
        _put_manifest(client, tag or str(digest), INDEX, body)
    return digest


def _named(
    client: httpx.Client, part: Digest, platform: str | None, first: Digest
) -> dict[str, object]:
    accepted = {"Accept": f"{MANIFEST}, {OCI_MANIFEST}"}
    there = client.get(f"manifests/{part}", headers=accepted).raise_for_status()
    system, _, architecture = (platform or "unknown/unknown").partition("/")
    attests = {
        "vnd.docker.reference.type": "attestation-manifest",
        "vnd.docker.reference.digest": str(first),
    }
    return {
        "mediaType": there.headers["content-type"],
        "size": len(there.content),
        "digest": str(part),
        "platform": {"os": system, "architecture": architecture},
        **({} if platform else {"annotations": attests}),
    }


def put_signature(box: Box, repository: str, digest: Digest, *signed: SignedPayload) -> Digest:
    """Signatures of an image, in place of those that are there; their manifest's digest."""
    with _client(box, repository) as client:
        for blob in (CONFIG, *(each.payload for each in signed)):
            _put_blob(client, blob)
        content = signature_manifest(*signed)
        content["config"] = _described(CONFIGURATIONS[OCI_MANIFEST], CONFIG)
        body = json.dumps(content).encode()
        _put_manifest(client, signature_tag(digest), OCI_MANIFEST, body)
    return digest_of(body)


def _described(kind: str, blob: bytes) -> dict[str, object]:
    return {"mediaType": kind, "size": len(blob), "digest": str(digest_of(blob))}


def _put_blob(client: httpx.Client, blob: bytes) -> None:
    where = client.post("blobs/uploads/").raise_for_status().headers["location"]
    address = httpx.URL(where).copy_merge_params({"digest": str(digest_of(blob))})
    client.put(address, content=blob).raise_for_status()


def _put_manifest(client: httpx.Client, name: str, kind: str, body: bytes) -> None:
    headers = {"Content-Type": kind}
    client.put(f"manifests/{name}", content=body, headers=headers).raise_for_status()


def _client(box: Box, repository: str) -> httpx.Client:
    account = image_registry.accounts(box)[PUBLISHER]
    host, _, path = repository.partition("/")
    token = httpx.get(
        f"http://127.0.0.1:{box.port('token-issuer')}/token",
        params={"service": host, "scope": f"repository:{path}:pull,push"},
        auth=(account.username, account.password),
    )
    headers = {"Authorization": f"Bearer {token.raise_for_status().json()['token']}"}
    return httpx.Client(base_url=f"http://{host}/v2/{path}/", headers=headers)
