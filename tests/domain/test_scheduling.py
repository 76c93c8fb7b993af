"""Which nodes pods may come to: Kubernetes' own rules."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.domain.scheduling import (
    UNSCHEDULABLE,
    Node,
    Placement,
    Requirement,
    Taint,
    Term,
    Toleration,
    may_come,
    open_to,
    platforms_of,
)

ARCH = "kubernetes.io/arch"
NODE = Node("one", "linux/arm64", {ARCH: "arm64", "cores": "8", "tier": "spot"})
GPU = replace(NODE, taints=(Taint("gpu", "NoSchedule", "a100"),))


def affine(*requirements: Requirement, names: tuple[Requirement, ...] = ()) -> Placement:
    return Placement(terms=(Term(requirements, names),))


def requires(key: str, operator: str, *values: str) -> Placement:
    return affine(Requirement(key, operator, values))


def test_without_a_wish_pods_come_to_every_node_that_is_free_for_all() -> None:
    amd = Node("two", "linux/amd64")

    assert open_to(Placement(), [NODE, amd, GPU]) == (NODE, amd)
    assert platforms_of([NODE, amd, GPU]) == {"linux/arm64", "linux/amd64"}


@pytest.mark.parametrize(
    ("asks", "may"),
    [
        (Placement(((ARCH, "arm64"),)), True),
        (Placement(((ARCH, "amd64"),)), False),
        (Placement(((ARCH, "arm64"), ("disk", "ssd"))), False),
        (requires(ARCH, "In", "amd64", "arm64"), True),
        (requires(ARCH, "In", "amd64"), False),
        (requires("zone", "In", "a"), False),
        (requires(ARCH, "NotIn", "arm64"), False),
        (requires("zone", "NotIn", "a"), True),
        (requires("tier", "Exists"), True),
        (requires("zone", "Exists"), False),
        (requires("tier", "DoesNotExist"), False),
        (requires("zone", "DoesNotExist"), True),
        (requires("cores", "Gt", "4"), True),
        (requires("cores", "Gt", "8"), False),
        (requires("cores", "Lt", "16"), True),
        (requires("cores", "Lt", "8"), False),
        (requires("tier", "Gt", "4"), False),
        (requires("zone", "Lt", "4"), False),
        (affine(names=(Requirement("metadata.name", "In", ("one",)),)), True),
        (affine(names=(Requirement("metadata.name", "NotIn", ("one",)),)), False),
        (
            affine(
                Requirement("tier", "Exists"),
                names=(Requirement("metadata.name", "In", ("two",)),),
            ),
            False,
        ),
        (affine(Requirement("tier", "Exists"), Requirement("zone", "Exists")), False),
        (Placement(terms=()), False),
        (affine(), False),
        (Placement(((ARCH, "amd64"),), terms=(Term((Requirement("tier", "Exists"),)),)), False),
        (Placement(node="one"), True),
        (Placement(node="two"), False),
    ],
)
def test_selector_and_affinity_must_both_be_met(asks: Placement, *, may: bool) -> None:
    assert may_come(asks, NODE) is may


def test_of_several_terms_one_is_enough() -> None:
    terms = [requires(ARCH, "In", each).terms or () for each in ("amd64", "arm64")]

    assert may_come(Placement(terms=(*terms[0], *terms[1])), NODE)


@pytest.mark.parametrize(
    ("toleration", "may"),
    [
        (Toleration("gpu", value="a100", effect="NoSchedule"), True),
        (Toleration("gpu", value="a100"), True),
        (Toleration("gpu", value="h100"), False),
        (Toleration("gpu", "Exists"), True),
        (Toleration("gpu", "Exists", effect="NoExecute"), False),
        (Toleration("tpu", "Exists"), False),
        (Toleration(operator="Exists"), True),
        (Toleration("gpu", "Like", "a100"), False),
    ],
)
def test_a_taint_keeps_off_whoever_does_not_tolerate_it(
    toleration: Toleration, *, may: bool
) -> None:
    assert may_come(Placement(tolerations=(toleration,)), GPU) is may


@pytest.mark.parametrize(
    ("taint", "may"),
    [
        (Taint("gpu", "NoExecute"), False),
        (Taint("gpu", "PreferNoSchedule"), True),
        (Taint("node.kubernetes.io/not-ready", "NoSchedule"), True),
        (Taint("node.kubernetes.io/unreachable", "NoExecute"), True),
        (Taint("node.cloudprovider.kubernetes.io/uninitialized", "NoSchedule"), True),
    ],
)
def test_trouble_that_passes_and_preferences_keep_nobody_off(taint: Taint, *, may: bool) -> None:
    assert may_come(Placement(), replace(NODE, taints=(taint,))) is may


def test_a_cordoned_node_takes_only_who_tolerates_a_cordon() -> None:
    cordoned = replace(NODE, cordoned=True, taints=(Taint(UNSCHEDULABLE, "NoSchedule"),))

    assert not may_come(Placement(), cordoned)
    assert may_come(Placement(tolerations=(Toleration(UNSCHEDULABLE, "Exists"),)), cordoned)


KEYS, VALUES = st.sampled_from(["a", "b"]), st.sampled_from(["", "1", "2", "x"])
REQUIREMENTS = st.builds(
    Requirement,
    KEYS,
    st.sampled_from(["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]),
    st.lists(VALUES, min_size=1, max_size=2).map(tuple),
)
TERMS = st.builds(Term, st.lists(REQUIREMENTS, max_size=2).map(tuple))
TOLERATIONS = st.builds(
    Toleration,
    KEYS | st.just(""),
    st.sampled_from(["Equal", "Exists"]),
    VALUES,
    st.sampled_from(["", "NoSchedule", "NoExecute"]),
)
PLACEMENTS = st.builds(
    Placement,
    st.lists(st.tuples(KEYS, VALUES), max_size=1).map(tuple),
    st.none() | st.lists(TERMS, max_size=2).map(tuple),
    st.lists(TOLERATIONS, max_size=2).map(tuple),
)
TAINTS = st.builds(Taint, KEYS, st.sampled_from(["NoSchedule", "NoExecute"]), VALUES)
NODES = st.builds(
    Node,
    st.just("one"),
    st.just("linux/arm64"),
    st.dictionaries(KEYS, VALUES),
    st.lists(TAINTS, max_size=2).map(tuple),
    st.booleans(),
)


@given(PLACEMENTS, NODES, TOLERATIONS, TERMS, REQUIREMENTS)
def test_who_asks_for_more_comes_to_no_more_nodes_and_who_minds_less_to_no_fewer(
    asks: Placement, node: Node, toleration: Toleration, term: Term, requirement: Requirement
) -> None:
    may = may_come(asks, node)

    looser = replace(asks, tolerations=(*asks.tolerations, toleration))
    assert may_come(looser, node) >= may
    if asks.terms is not None:
        assert may_come(replace(asks, terms=(*asks.terms, term)), node) >= may
    if asks.terms:
        stricter = tuple(Term((*each.labels, requirement)) for each in asks.terms if each.labels)
        assert may_come(replace(asks, terms=stricter), node) <= may


@given(st.sampled_from([("In", "NotIn"), ("Exists", "DoesNotExist")]), VALUES, NODES)
def test_an_operator_and_its_opposite_part_the_nodes(
    pair: tuple[str, str], value: str, node: Node
) -> None:
    free = replace(node, taints=(), cordoned=False)

    one, other = (may_come(requires("a", each, value), free) for each in pair)

    assert one is not other
