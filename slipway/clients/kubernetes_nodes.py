"""Nodes, and what pod templates ask of them: from the API's JSON objects (core/v1)."""

from collections.abc import Iterable, Mapping
from typing import Any

from slipway.domain.scheduling import Node, Placement, Requirement, Taint, Term, Toleration

Object = Mapping[str, Any]


def read_node(raw: Object) -> Node:
    """A node, with what keeps pods off it."""
    meta, spec = raw.get("metadata") or {}, raw.get("spec") or {}
    info = (raw.get("status") or {}).get("nodeInfo") or {}
    return Node(
        str(meta.get("name", "")),
        f"{info.get('operatingSystem', 'linux')}/{info.get('architecture', '')}",
        dict(meta.get("labels") or {}),
        tuple(
            Taint(each.get("key", ""), each.get("effect", ""), each.get("value") or "")
            for each in spec.get("taints") or ()
        ),
        cordoned=bool(spec.get("unschedulable")),
    )


def read_placement(template: Object) -> Placement:
    """What a pod's spec asks of nodes; preferences are left out, which keep it off none."""
    affinity = ((template.get("affinity") or {}).get("nodeAffinity") or {}).get(
        "requiredDuringSchedulingIgnoredDuringExecution"
    )
    return Placement(
        tuple(sorted((template.get("nodeSelector") or {}).items())),
        None if affinity is None else tuple(_terms(affinity)),
        tuple(
            Toleration(
                each.get("key") or "",
                each.get("operator") or "Equal",
                each.get("value") or "",
                each.get("effect") or "",
            )
            for each in template.get("tolerations") or ()
        ),
        template.get("nodeName") or "",
    )


def _terms(affinity: Object) -> Iterable[Term]:
    for each in affinity.get("nodeSelectorTerms") or ():
        yield Term(
            _requirements(each.get("matchExpressions")), _requirements(each.get("matchFields"))
        )


def _requirements(raw: Any) -> tuple[Requirement, ...]:
    return tuple(
        Requirement(each["key"], each["operator"], tuple(each.get("values") or ()))
        for each in raw or ()
    )
