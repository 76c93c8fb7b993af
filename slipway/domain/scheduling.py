"""Which nodes the pods of a template may come to, by Kubernetes' own rules.

Its documentation, "Assigning Pods to Nodes" and "Taints and Tolerations". Only what keeps pods off
a node for good counts: not room, not preferences, and not what a node says of itself while it is in
trouble, such as `node.kubernetes.io/not-ready`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
"""The taint that stands for a cordon."""
PASSING = ("node.kubernetes.io/", "node.cloudprovider.kubernetes.io/")
"""How the taints begin that Kubernetes sets and takes away itself, by a node's condition."""
KEEPING_OFF = frozenset({"NoSchedule", "NoExecute"})


@dataclass(frozen=True, slots=True)
class Taint:
    """What keeps pods off a node that do not tolerate it."""

    key: str
    effect: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class Toleration:
    """Which taints a pod does not mind; without a key or an effect, whatever it is."""

    key: str = ""
    operator: str = "Equal"
    value: str = ""
    effect: str = ""


@dataclass(frozen=True, slots=True)
class Requirement:
    """What a label of a node must be: `In`, `NotIn`, `Exists`, `DoesNotExist`, `Gt`, `Lt`."""

    key: str
    operator: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Term:
    """Requirements that must all be met; an empty term is met by no node."""

    labels: tuple[Requirement, ...] = ()
    fields: tuple[Requirement, ...] = ()
    """Of the node's object: Kubernetes knows `metadata.name` alone."""


@dataclass(frozen=True, slots=True)
class Placement:
    """What a pod template asks of nodes."""

    selector: tuple[tuple[str, str], ...] = ()
    terms: tuple[Term, ...] | None = None
    """Of the required node affinity, of which one must be met; None where there is none."""
    tolerations: tuple[Toleration, ...] = ()
    node: str = ""
    """The node that it names itself, past the scheduler."""


ANYWHERE = Placement()


@dataclass(frozen=True, slots=True)
class Node:
    """A node, as far as it decides about pods."""

    name: str
    platform: str
    """`os/architecture`."""
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Taint, ...] = ()
    cordoned: bool = False


def open_to(placement: Placement, nodes: Iterable[Node]) -> tuple[Node, ...]:
    """The nodes that pods of this template may come to."""
    return tuple(each for each in nodes if may_come(placement, each))


def platforms_of(nodes: Iterable[Node]) -> frozenset[str]:
    """What an image must be for that is to run on each of them."""
    return frozenset(each.platform for each in nodes)


def may_come(placement: Placement, node: Node) -> bool:
    """Whether a pod of this template may be placed on the node, sooner or later."""
    if placement.node:
        return placement.node == node.name
    if any(not _tolerates(placement, each) for each in _lasting(node)):
        return False
    if any(node.labels.get(key) != value for key, value in placement.selector):
        return False
    return placement.terms is None or any(_is_met(each, node) for each in placement.terms)


def _lasting(node: Node) -> list[Taint]:
    cordon = [Taint(UNSCHEDULABLE, "NoSchedule")] if node.cordoned else []
    return cordon + [
        each
        for each in node.taints
        if each.effect in KEEPING_OFF and not each.key.startswith(PASSING)
    ]


def _tolerates(placement: Placement, taint: Taint) -> bool:
    return any(
        each.effect in {"", taint.effect}
        and each.key in {"", taint.key}
        and (each.operator == "Exists" or (each.operator == "Equal" and each.value == taint.value))
        for each in placement.tolerations
    )


def _is_met(term: Term, node: Node) -> bool:
    if not term.labels and not term.fields:
        return False
    its_fields = {"metadata.name": node.name}
    return all(_fits(each, node.labels) for each in term.labels) and all(
        _fits(each, its_fields) for each in term.fields
    )


def _fits(requirement: Requirement, labels: Mapping[str, str]) -> bool:
    """An operator that is not known here keeps no pod off: better one node too many than a miss."""
    value = labels.get(requirement.key)
    match requirement.operator:
        case "In":
            return value in requirement.values
        case "NotIn":
            return value not in requirement.values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt" | "Lt":
            return _is_beyond(value, requirement)
        case _:
            return True


def _is_beyond(value: str | None, requirement: Requirement) -> bool:
    """Compare as whole numbers; what is none fits nothing."""
    try:
        [limit] = map(int, requirement.values)
        found = int(value or "")
    except ValueError:
        return False
    return found > limit if requirement.operator == "Gt" else found < limit
