"""What other people's tools put into a registry: an image, an index, a signature."""

import json
from collections.abc import Mapping

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


def put_image(box: Box, repository: str, tag: str) -> Digest:
    """An image like no other, with nothing in it but its label; its digest."""
    label = {"org.opencontainers.image.revision": tag}
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {"Labels": label}})
    kind = "application/vnd.docker.container.image.v1+json"
    content = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": _described(kind, config.encode()),
        "layers": [],
    }
    body = json.dumps(content).encode()
    with _client(box, repository) as client:
        _put_blob(client, config.encode())
        _put_manifest(client, tag, MANIFEST, body)
    return digest_of(body)


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


def put_index(box: Box, repository: str, child: Digest) -> Digest:
    """An index with this one platform, without a tag; its digest."""
    with _client(box, repository) as client:
        there = client.get(f"manifests/{child}", headers={"Accept": MANIFEST}).raise_for_status()
        named = {
            "mediaType": MANIFEST,
            "size": len(there.content),
            "digest": str(child),
            "platform": {"os": "linux", "architecture": "amd64"},
        }
        body = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [named]}).encode()
        digest = digest_of(body)
        _put_manifest(client, str(digest), INDEX, body)
    return digest


def put_signature(box: Box, repository: str, digest: Digest, *signed: SignedPayload) -> None:
    """Signatures of an image, in place of those that are there."""
    with _client(box, repository) as client:
        for blob in (CONFIG, *(each.payload for each in signed)):
            _put_blob(client, blob)
        content = signature_manifest(*signed)
        content["config"] = _described("application/vnd.oci.image.config.v1+json", CONFIG)
        _put_manifest(client, signature_tag(digest), OCI_MANIFEST, json.dumps(content).encode())


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
