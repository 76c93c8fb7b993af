"""The guard: one image of one Deployment may change, and nothing else."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.domain.change import (
    HARMLESS_OPS,
    ContainerInput,
    ImageChange,
    PathChange,
    Preview,
    ResourceChange,
    find_first_urn,
    find_forbidden,
    require_image_only,
)
from slipway.domain.target import Allowance
from slipway.errors import ChangeNotAllowed, PreviewFailed

URN, OTHER = "urn:app", "urn:other"
WANTED = ImageChange(URN, "app", "repo:new")
IMAGE = PathChange("spec.template.spec.containers[1].image", "update")
CONTAINERS = (ContainerInput(0, "side", "repo:side"), ContainerInput(1, "app", "repo:new"))
DEPLOYMENT = "kubernetes:apps/v1:Deployment"


def update(
    *paths: PathChange,
    containers: tuple[ContainerInput, ...] = CONTAINERS,
    init_errors: bool = False,
) -> ResourceChange:
    return ResourceChange(URN, "update", DEPLOYMENT, paths, containers, init_errors)


def forbidden(*changes: ResourceChange, complete: bool = True) -> list[str]:
    found = find_forbidden(Preview(changes, complete), WANTED)
    return [f"{each.urn}:{each.path}" for each in found]


def test_the_image_of_the_container_may_change() -> None:
    assert forbidden(update(IMAGE)) == []


def test_another_containers_image_may_not() -> None:
    sidecar = PathChange("spec.template.spec.containers[0].image", "update")

    assert forbidden(update(IMAGE, sidecar)) == [f"{URN}:{sidecar.path}"]


@pytest.mark.parametrize("kind", ["add", "delete", "update-replace", "add-replace"])
def test_the_image_may_only_be_updated(kind: str) -> None:
    assert forbidden(update(PathChange(IMAGE.path, kind))) == [f"{URN}:{IMAGE.path}"]


def test_an_image_that_is_not_the_wanted_one_is_forbidden() -> None:
    containers = (CONTAINERS[0], ContainerInput(1, "app", "repo:else"))

    assert forbidden(update(IMAGE, containers=containers)) == [f"{URN}:{IMAGE.path}"]


def test_an_image_that_is_not_known_yet_is_forbidden() -> None:
    containers = (CONTAINERS[0], ContainerInput(1, "app", None))

    assert forbidden(update(IMAGE, containers=containers)) == [f"{URN}:{IMAGE.path}"]


def test_a_container_that_is_gone_is_forbidden() -> None:
    assert forbidden(update(IMAGE, containers=CONTAINERS[:1])) == [
        f"{URN}:spec.template.spec.containers"
    ]


def test_an_update_without_any_diff_is_allowed_only_after_init_errors() -> None:
    assert forbidden(update(init_errors=True)) == []
    assert forbidden(update()) == [f"{URN}:*"]


def test_an_unchanged_deployment_must_ask_for_the_wanted_image_already() -> None:
    same = ResourceChange(URN, "same", DEPLOYMENT, (), CONTAINERS)
    stale = ResourceChange(URN, "same", DEPLOYMENT, (), (ContainerInput(0, "app", "repo:old"),))

    assert forbidden(same) == []
    assert forbidden(stale) == [f"{URN}:spec.template.spec.containers[0].image"]


@pytest.mark.parametrize("op", ["create", "delete", "replace", "create-replacement", "import"])
def test_no_other_operation_is_allowed_on_the_deployment(op: str) -> None:
    assert forbidden(ResourceChange(URN, op, DEPLOYMENT, (), CONTAINERS)) == [f"{URN}:*"]


@given(
    st.sampled_from(["create", "delete", "replace", "update", "discard", "import", "anything"]),
    st.lists(st.builds(PathChange, st.text(min_size=1), st.text()), max_size=3),
)
def test_whatever_happens_to_another_resource_is_forbidden(
    op: str, paths: list[PathChange]
) -> None:
    change = ResourceChange(OTHER, op, "any", tuple(paths))

    assert len(forbidden(update(IMAGE), change)) >= 1


@pytest.mark.parametrize("op", sorted(HARMLESS_OPS))
def test_what_changes_nothing_is_let_pass(op: str) -> None:
    assert forbidden(update(IMAGE), ResourceChange(OTHER, op, "any")) == []


def test_a_list_that_may_be_cut_is_never_judged() -> None:
    with pytest.raises(PreviewFailed):
        forbidden(update(IMAGE), complete=False)


def other(op: str, *paths: PathChange, values: str = "1 becomes 2") -> ResourceChange:
    return ResourceChange(OTHER, op, "any", paths, values=values)


PORTS = PathChange("spec.ports", "update", "80 becomes 81")


def shown(change: ResourceChange) -> Allowance:
    """What a person would paste who has read the refusal of this change."""
    [found] = find_forbidden(Preview((change,), complete=True), WANTED)
    assert found.mark
    return Allowance(found.urn, found.path, found.mark)


@pytest.mark.parametrize("change", [other("update", PORTS), other("delete"), other("create")])
def test_what_was_shown_can_be_allowed(change: ResourceChange) -> None:
    preview = Preview((update(IMAGE), change), complete=True)

    require_image_only(preview, WANTED, [shown(change)])


@pytest.mark.parametrize(
    "change",
    [
        other("update", replace(PORTS, values="80 becomes 82")),
        other("update", replace(PORTS, kind="delete")),
        other("replace", PORTS),
        other("update", replace(PORTS, path="spec.ports[0]")),
        other("update", replace(PORTS, values="")),
        replace(other("update", PORTS), urn="urn:third"),
    ],
)
def test_an_approval_of_one_change_allows_no_other(change: ResourceChange) -> None:
    preview = Preview((update(IMAGE), change), complete=True)

    with pytest.raises(ChangeNotAllowed):
        require_image_only(preview, WANTED, [shown(other("update", PORTS))])


def test_an_approval_of_one_operation_on_a_whole_resource_allows_no_other() -> None:
    approval = shown(other("create"))

    for change in (other("delete"), other("create", values="1 becomes 3"), other("update")):
        with pytest.raises(ChangeNotAllowed):
            require_image_only(Preview((change,), complete=True), WANTED, [approval])


@pytest.mark.parametrize(
    "change",
    [
        other("update", replace(PORTS, kind="update-replace")),
        other("update", replace(PORTS, kind="add")),
        other("replace", PORTS),
        other("delete-replaced", PORTS),
        other("delete"),
        other("update"),
    ],
)
def test_what_a_target_always_allows_is_plain_updates_of_one_property(
    change: ResourceChange,
) -> None:
    standing = [Allowance(OTHER, "spec.ports"), Allowance(OTHER, "*")]

    require_image_only(Preview((other("update", PORTS),), complete=True), WANTED, standing)
    with pytest.raises(ChangeNotAllowed):
        require_image_only(Preview((change,), complete=True), WANTED, standing)


def test_nobody_can_allow_another_image_than_the_wanted_one() -> None:
    containers = (CONTAINERS[0], ContainerInput(1, "app", "repo:else"))
    preview = Preview((update(replace(IMAGE, values="1"), containers=containers),), complete=True)
    path = "spec.template.spec.containers[1].image"

    with pytest.raises(ChangeNotAllowed) as caught:
        require_image_only(preview, WANTED, [Allowance(URN, path)])

    assert "--allow-change" not in str(caught.value)


def test_a_refusal_names_what_was_seen_and_how_to_allow_exactly_that() -> None:
    preview = Preview((other("delete"), other("update", PORTS)), complete=True)

    with pytest.raises(ChangeNotAllowed) as caught:
        require_image_only(preview, WANTED, behind="revision 7 by bob")

    whole, ports = shown(other("delete")), shown(other("update", PORTS))
    assert f"{whole} (delete); {ports} (update)" in str(caught.value)
    assert f"--allow-change '{whole}' --allow-change '{ports}'" in str(caught.value)
    assert "revision 7 by bob" in str(caught.value)


def test_a_first_deployment_is_found_by_its_container_and_image() -> None:
    made = ResourceChange(URN, "create", DEPLOYMENT, (), CONTAINERS)
    service = ResourceChange(OTHER, "create", "kubernetes:core/v1:Service")
    wanted = ImageChange("", "app", "repo:new")

    first = find_first_urn(Preview((made, service), complete=True), wanted)

    assert first.urn == URN
    found = find_forbidden(Preview((made, service), complete=True), first)
    assert [str(each) for each in found] == ["urn:other:* (create)"]
    with pytest.raises(ChangeNotAllowed):
        find_first_urn(Preview((service,), complete=True), wanted)
