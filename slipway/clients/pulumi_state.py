"""What Pulumi Cloud tells of a stack, as values: its history, and the Deployments in its state."""

from collections.abc import Iterable, Iterator
from typing import Any

from slipway.clients.pulumi_events import containers_of
from slipway.domain.change import DEPLOYMENT_TYPE
from slipway.ports import RecordedDeployment, StackUpdate


def parse_history(answer: dict[str, Any]) -> tuple[StackUpdate, ...]:
    """A page of a stack's history, newest first."""
    return tuple(_update(each) for each in answer.get("updates") or [] if isinstance(each, dict))


def parse_deployments(export: dict[str, Any]) -> tuple[RecordedDeployment, ...]:
    """The Deployments in an exported state."""
    return tuple(
        RecordedDeployment(
            urn=str(each.get("urn")),
            namespace=_metadata(each, "namespace") or "default",
            name=_metadata(each, "name"),
            images=dict(_images(each)),
            init_errors=tuple(str(error) for error in each.get("initErrors") or ()),
            sets_replicas=_sets_replicas(each),
        )
        for each in _resources(export)
        if each.get("type") == DEPLOYMENT_TYPE and not each.get("delete")
    )


def count_pending(export: dict[str, Any]) -> int:
    """How many operations a dead update left without an end."""
    return len(_deployment(export).get("pending_operations") or ())


def _update(told: dict[str, Any]) -> StackUpdate:
    environment = told.get("environment") or {}
    return StackUpdate(
        version=int(told.get("version") or 0),
        kind=str(told.get("kind", "")),
        result=str(told.get("result", "")),
        message=str(told.get("message", "")),
        program=str(environment.get("git.head", "")),
    )


def _images(resource: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Of the inputs: what the program asked for last, as far as it was carried out."""
    for each in containers_of(resource.get("inputs")):
        if isinstance(each.get("image"), str):
            yield str(each.get("name")), each["image"]


def _sets_replicas(resource: dict[str, Any]) -> bool:
    """Of the inputs too; what can't be read, as a spec that is secret, may set them."""
    spec = (resource.get("inputs") or {}).get("spec")
    if not isinstance(spec, dict) or "template" not in spec:
        return True
    return spec.get("replicas") is not None


def _metadata(resource: dict[str, Any], name: str) -> str:
    """From the outputs, where a name that Kubernetes was left to choose stands."""
    for side in ("outputs", "inputs"):
        metadata = (resource.get(side) or {}).get("metadata")
        if isinstance(metadata, dict) and isinstance(metadata.get(name), str):
            return str(metadata[name])
    return ""


def _resources(export: dict[str, Any]) -> Iterable[dict[str, Any]]:
    return [each for each in _deployment(export).get("resources") or () if isinstance(each, dict)]


def _deployment(export: dict[str, Any]) -> dict[str, Any]:
    found = export.get("deployment")
    return found if isinstance(found, dict) else {}
