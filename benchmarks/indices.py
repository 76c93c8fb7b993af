"""Images that are indices, as BuildKit pushes them: two platforms, and what it attests of each."""

import json

import httpx

from benchmarks.publish import DOCKER_MANIFEST, described, push_blob, push_manifest
from benchmarks.releasing import released, require_live
from benchmarks.world import World
from slipway.domain.image import Digest
from slipway.domain.publication import BUILD_INPUTS_LABEL, REVISION_LABEL

INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
ARCHITECTURES = ("amd64", "arm64")


async def deployed_index(world: World) -> None:
    """Deploy a new commit whose image is there already, as an index, and runs what is live."""
    ports = world.ports()
    newest = (await ports.ledger.history(ports.target.name, 1))[0]
    await world.close()
    if newest.digest is None:
        raise RuntimeError(f"nothing is live that an index could be made of: {newest.reason}")
    commit = world.commit()
    with world.registry_client(world.repository, "pull,push") as client:
        push_index(client, commit, newest.digest)
    require_live(await released(world, commit, world.ports()))


def push_index(client: httpx.Client, commit: str, like: Digest) -> None:
    """Push under a commit's tag what has the layers of another image, for two platforms."""
    headers = {"Accept": f"{DOCKER_MANIFEST}, {INDEX}"}
    found = client.get(f"manifests/{like}", headers=headers).raise_for_status().json()
    if "manifests" in found:
        first = found["manifests"][0]["digest"]
        found = client.get(f"manifests/{first}", headers=headers).raise_for_status().json()
    address = f"blobs/{found['config']['digest']}"
    said = client.get(address, follow_redirects=True).raise_for_status().json()
    labels = {**said["config"]["Labels"], REVISION_LABEL: commit}
    labels.pop(BUILD_INPUTS_LABEL, None)  # nobody has built it
    said["config"]["Labels"] = labels
    named = []
    for architecture in ARCHITECTURES:
        config = json.dumps(said | {"architecture": architecture}).encode()
        push_blob(client, config)
        of_config = {"config": described(DOCKER_CONFIG, config)}
        image = push_manifest(client, "", found | of_config)
        named.append(image | {"platform": {"os": "linux", "architecture": architecture}})
        named.append(_attestation(client, image))
    content = {"schemaVersion": 2, "mediaType": INDEX, "manifests": named}
    push_manifest(client, commit, content)


def _attestation(client: httpx.Client, image: dict[str, object]) -> dict[str, object]:
    digest = str(image["digest"])
    about = json.dumps({"of": digest}).encode()
    push_blob(client, about)
    content = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": described(OCI_CONFIG, about),
        "layers": [],
    }
    annotations = {
        "vnd.docker.reference.type": "attestation-manifest",
        "vnd.docker.reference.digest": digest,
    }
    unknown = {"os": "unknown", "architecture": "unknown"}
    return push_manifest(client, "", content) | {"platform": unknown, "annotations": annotations}
