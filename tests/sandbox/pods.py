"""What the pods of a real cluster run."""

from slipway.domain.image import Digest
from slipway.domain.workloads import Workloads, running_digest


def running_digests(workloads: Workloads, container: str) -> dict[str, Digest | None]:
    """Pod name → running digest, of every pod that is ready or may become so."""
    return {
        pod.name: running_digest(each.image_id)
        for pod in workloads.pods
        if not pod.terminating
        for each in pod.containers
        if each.name == container and each.image_id
    }
