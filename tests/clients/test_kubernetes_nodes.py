"""Nodes and placements are read from the API's objects; what is left out is nothing."""

import pytest

from slipway.clients.kubernetes_nodes import read_node, read_placement
from slipway.domain.scheduling import Node, Placement, Requirement, Taint, Term, Toleration


def test_a_node_is_read_with_all_that_keeps_pods_off_it() -> None:
    info = {"operatingSystem": "linux", "architecture": "arm64"}
    raw = {
        "metadata": {"name": "one", "labels": {"tier": "spot"}},
        "spec": {
            "unschedulable": True,
            "taints": [{"key": "gpu", "value": "a100", "effect": "NoSchedule"}],
        },
        "status": {"nodeInfo": info},
    }

    assert read_node(raw) == Node(
        "one",
        "linux/arm64",
        {"tier": "spot"},
        (Taint("gpu", "NoSchedule", "a100"),),
        cordoned=True,
    )
    assert read_node({"metadata": {"name": "two"}, "status": {"nodeInfo": info}}) == Node(
        "two", "linux/arm64"
    )


def test_a_placement_is_read_with_all_its_parts() -> None:
    required = {
        "nodeSelectorTerms": [
            {
                "matchExpressions": [{"key": "tier", "operator": "In", "values": ["spot"]}],
                "matchFields": [{"key": "metadata.name", "operator": "NotIn", "values": ["one"]}],
            },
            {"matchExpressions": [{"key": "gpu", "operator": "Exists"}]},
        ]
    }
    raw = {
        "nodeName": "two",
        "nodeSelector": {"b": "2", "a": "1"},
        "affinity": {
            "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required},
            "podAntiAffinity": {},
        },
        "tolerations": [{"operator": "Exists"}, {"key": "gpu", "value": "a100"}],
    }

    assert read_placement(raw) == Placement(
        (("a", "1"), ("b", "2")),
        (
            Term(
                (Requirement("tier", "In", ("spot",)),),
                (Requirement("metadata.name", "NotIn", ("one",)),),
            ),
            Term((Requirement("gpu", "Exists"),)),
        ),
        (Toleration(operator="Exists"), Toleration("gpu", value="a100")),
        "two",
    )


@pytest.mark.parametrize(
    "raw",
    [
        {},
        {"affinity": None, "nodeSelector": None, "tolerations": None, "nodeName": None},
        {"affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{}]}}},
    ],
)
def test_a_template_without_wishes_asks_for_nothing(raw: dict[str, object]) -> None:
    assert read_placement(raw) == Placement()
