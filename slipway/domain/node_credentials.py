"""What pods show of pulling where the Kubernetes API shows no credentials.

Nodes may have some of their own: k3s' `registries.yaml`, a credential provider of the kubelet.
"""

import re
from collections.abc import Collection, Iterator

from slipway.domain.image import Digest
from slipway.domain.rollout import PULL_REASONS, current_set
from slipway.domain.workloads import Container, Pod, Workloads, running_digest

DENIED_PULL = re.compile(r"denied|unauthorized|insufficient_scope|\b40[13]\b", re.IGNORECASE)
NOT_SHOWN = (
    "nodes may have credentials of their own (k3s' registries.yaml, a credential provider of the "
    "kubelet), which the Kubernetes API does not show"
)


def denied_pull(seen: Workloads, container: str) -> str:
    """The pod whose node was not let have the image, with the registry's words; empty for none."""
    for pod, each in _of_the_template(seen, container):
        if each.waiting in PULL_REASONS and DENIED_PULL.search(each.waiting_message):
            return f"pod {pod.name}: {each.waiting_message}"
    return ""


def pulled_by(seen: Workloads, container: str, accepted: Collection[Digest]) -> list[str]:
    """Ready pods of the template that run the image as a registry has given it to their node.

    The runtime names what it has not pulled without a repository.
    """
    return [
        pod.name
        for pod, each in _of_the_template(seen, container)
        if pod.ready and "@" in each.image_id and running_digest(each.image_id) in accepted
    ]


def _of_the_template(seen: Workloads, container: str) -> Iterator[tuple[Pod, Container]]:
    current = current_set(seen)
    for pod in seen.pods:
        if current is None or pod.replica_set != current.name:
            continue
        if not (pod.terminating or pod.over):
            yield from ((pod, each) for each in pod.containers if each.name == container)
