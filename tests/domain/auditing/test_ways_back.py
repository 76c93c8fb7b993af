"""Rules about where a rollback could go, and for which nodes."""

from dataclasses import replace

from slipway.domain.auditing.rules import judge
from slipway.domain.commit import Commit
from slipway.domain.image import ImageReference
from tests.domain.auditing.pictures import (
    BEFORE,
    CHILD,
    HEAD,
    OLD,
    REFERENCE,
    REPOSITORY,
    TARGET,
    WAY_BACK,
    holdings,
    image,
    info,
    lineage,
    memory,
    picture,
    release,
)
from tests.domain.auditing.troubled import OTHER, TROUBLED, WAY


def test_what_no_image_is_for_is_no_trouble_of_the_ways_back() -> None:
    """A node of another platform came: neither what runs nor what ran is for it."""
    [found] = judge(TROUBLED["a node of another platform"][1]).findings

    assert found.remedy.command == "kubectl cordon arm-1"


def test_an_image_for_other_nodes_is_rolled_back_from_where_the_way_back_is_for_them() -> None:
    wrong = image(platforms=frozenset({"linux/arm64"}))
    held = holdings(images={REFERENCE: wrong, **WAY})

    [found] = judge(picture(registry=held)).findings

    assert found.rule == "IMG010"
    assert found.remedy.command.startswith(f"slipway rollback {TARGET.name} ")


def test_a_part_of_the_way_back_that_no_node_needs_may_be_gone() -> None:
    """The rollback takes it."""
    lame = {str(WAY_BACK): image(OLD, BEFORE, missing=frozenset({CHILD}))}

    assert judge(picture(registry=holdings(images={REFERENCE: image(), **lame}))).findings == ()


def test_a_way_back_behind_one_that_no_node_can_run_is_rolled_back_to_by_its_name() -> None:
    """Without a name the rollback would take the first that is there, and be refused."""
    oldest = Commit("9" * 40)
    further = ImageReference(REPOSITORY, oldest.sha, OTHER)
    held = {
        REFERENCE: None,
        str(WAY_BACK): image(OLD, BEFORE, platforms=frozenset({"linux/arm64"})),
        str(further): image(OTHER, oldest),
    }
    ways = memory(ways_back=(WAY_BACK, further))

    [found] = judge(picture(registry=holdings(images=held), ledger=ways)).findings

    assert found.rule == "IMG001"
    assert f" --to {oldest} " in found.remedy.command


def test_a_way_back_behind_a_bare_index_is_the_default_one() -> None:
    """A rollback without a name passes over what has no platform left."""
    further = ImageReference(REPOSITORY, Commit("9" * 40).sha, OTHER)
    bare = image(OLD, BEFORE, platforms=frozenset(), missing=frozenset({CHILD}))
    held = {REFERENCE: None, str(WAY_BACK): bare, str(further): image(OTHER, Commit("9" * 40))}
    ways = memory(ways_back=(WAY_BACK, further))

    [found] = judge(picture(registry=holdings(images=held), ledger=ways)).findings

    assert found.rule == "IMG001"
    assert "--to" not in found.remedy.command


def test_a_target_that_was_live_once_needs_no_way_back() -> None:
    alone = memory(history=(release(),), ways_back=())

    assert judge(picture(ledger=alone)).findings == ()


def test_where_no_way_back_is_left_the_newest_commit_makes_one() -> None:
    lost = TROUBLED["no way back is left"][1]
    waiting = lineage(head=info(HEAD), pending=(info(HEAD),))

    [now] = judge(lost).findings
    found = {each.rule: each for each in judge(replace(lost, git=waiting)).findings}

    assert now.remedy.command == f"slipway candidates {TARGET.name}"
    assert found["IMG012"].remedy.command == f"slipway deploy {TARGET.name} {HEAD}"


def test_a_rollback_is_not_printed_where_it_has_nowhere_to_go() -> None:
    nothing = {REFERENCE: None, str(WAY_BACK): None}
    waiting = lineage(head=info(HEAD), pending=(info(HEAD),))

    found = judge(picture(registry=holdings(images=nothing), git=waiting)).findings

    assert {each.rule for each in found} == {"IMG001", "IMG011", "IMG012"}
    assert {each.remedy.command for each in found} == {f"slipway deploy {TARGET.name} {HEAD}"}
