"""`slipway prune`: a plan to read, and its deletion by its hash only."""

from datetime import UTC, datetime

import pytest

from slipway.errors import AccessDenied, Unreachable
from tests.cli.conftest import Terminal
from tests.fakes.faults import raising
from tests.fakes.world import World


@pytest.fixture
def aged(terminal: Terminal) -> Terminal:
    """Images of commits that were made long ago, and published by CI."""
    world = terminal.world
    for name in ("second", "third"):
        world.publish(name)
    terminal.session.run(let_the_ledger_know_the_time(world))
    return terminal


async def let_the_ledger_know_the_time(world: World) -> None:
    world.ledger.skew += (datetime.now(UTC) - world.ledger.now()).total_seconds()


def repository(terminal: Terminal) -> str:
    return terminal.world.target.service.repository


def test_a_plan_is_shown_and_nothing_deleted(aged: Terminal) -> None:
    made = aged.json("prune", repository(aged))

    tags = {tag for each in made["deletions"] for tag in each["tags"]}
    assert tags == {aged.world.commits[name].sha for name in ("second", "third")}
    assert (made["applied"], made["deleted"]) == (False, [])
    assert aged.world.registry.removed == []
    assert len(made["plan"]) == 16


def test_the_plan_that_was_shown_is_what_is_deleted(aged: Terminal) -> None:
    made = aged.json("prune", repository(aged))

    done = aged.json("prune", repository(aged), "--apply", made["plan"])

    assert done["applied"] is True
    assert set(done["deleted"]) == set(map(str, aged.world.registry.removed))
    assert len(done["deleted"]) == 4
    assert aged.json("prune", repository(aged))["deletions"] == []


def test_the_number_that_restores_a_deletion_is_told(aged: Terminal) -> None:
    aged.world.registry.restores = True
    made = aged.json("prune", repository(aged))

    done = aged.json("prune", repository(aged), "--apply", made["plan"])

    assert done["restored_by"] == {
        digest: str(place) for place, digest in enumerate(done["deleted"], start=1)
    }


def test_people_are_told_it_too(aged: Terminal) -> None:
    aged.world.registry.restores = True
    made = aged.json("prune", repository(aged))

    shown = aged.type("prune", repository(aged), "--apply", made["plan"]).stdout

    assert "restored by version 1, 2" in shown


def test_a_deletion_that_fails_midway_tells_what_was_deleted_and_what_restores_it(
    aged: Terminal,
) -> None:
    aged.world.registry.restores = True
    made = aged.json("prune", repository(aged))
    aged.world.faults.after("registry.remove", raising(Unreachable("no: try again")))

    done = aged.json("prune", repository(aged), "--apply", made["plan"], code=5)

    assert done["stopped"] == "unreachable: no: try again"
    assert done["deleted"] == []
    [removed] = map(str, aged.world.registry.removed)
    assert done["restored_by"][removed] == "1"


def test_what_the_registry_refuses_is_told_and_the_rest_goes(aged: Terminal) -> None:
    made = aged.json("prune", repository(aged))
    why = "no version with so many downloads goes: ask its support"
    aged.world.faults.before("registry.remove", raising(AccessDenied(why)))

    done = aged.json("prune", repository(aged), "--apply", made["plan"])

    refused = made["deletions"][0]["digest"]
    assert done["refused"] == {refused: why}
    assert done["stopped"] is None
    assert len(done["deleted"]) == 2
    [again] = aged.json("prune", repository(aged))["deletions"]
    assert again["digest"] == refused
    assert again["refused"].endswith(why)
    shown = aged.type("prune", repository(aged)).stdout
    assert "the registry refused it on" in shown


def test_people_are_told_what_the_registry_refuses(aged: Terminal) -> None:
    made = aged.json("prune", repository(aged))
    aged.world.faults.before("registry.remove", raising(AccessDenied("no: ask its support")))

    shown = aged.type("prune", repository(aged), "--apply", made["plan"]).stdout

    assert "2 manifests deleted, 1 stay, which the registry refuses to delete" in shown
    assert "the registry has not deleted it (no: ask its support)" in shown


def test_another_hash_deletes_nothing(aged: Terminal) -> None:
    result = aged.type("prune", repository(aged), "--apply", "0" * 16)

    assert result.exit_code == 2
    assert "look at the plan again" in result.output
    assert aged.world.registry.removed == []


def test_people_read_what_goes_what_stays_and_what_to_type(aged: Terminal) -> None:
    shown = aged.type("prune", repository(aged)).stdout

    assert "goes, with 1 parts" in shown
    assert "the cluster has it" in shown
    assert "--apply" in shown


def test_a_repository_that_no_target_has_is_refused_with_those_there_are(aged: Terminal) -> None:
    for words in ((), ("ghcr.io/x/y",)):
        result = aged.type("prune", *words)

        assert result.exit_code == 2
        assert repository(aged) in result.output
