"""Whatever is changed in a ledger behind its back is found, and said of which release."""

import re
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from slipway.domain.journal import Anchor, Flaw, Head, intent, observed
from slipway.domain.release import Phase, State
from slipway.ledger.sql import SqlLedger
from slipway.tasks.witnesses import all_flaws
from tests.ledger.examples import BASELINE, a_request, a_target, sqlite_at

OTHER_HASH, OTHER_COMMIT = "f" * 64, "e" * 40


@pytest.fixture
async def ledger(tmp_path: Path) -> SqlLedger:
    """Two releases, each of several entries; the first is the one to be tampered with."""
    ledger = SqlLedger(sqlite_at(tmp_path / "ledger.db"))
    for _ in range(2):
        release = await ledger.open(a_target(), a_request())
        release = await ledger.save(
            replace(release, baseline=BASELINE, fence=1).at(Phase.PINNING), intent("pin")
        )
        release = await ledger.save(release.at(Phase.PINNED), observed("pin", revision=8))
        await ledger.save(release.to(State.NEEDS_ATTENTION, "unproven: the cluster is gone"))
    return ledger


@pytest.fixture
async def anchors(ledger: SqlLedger) -> list[Anchor]:
    """Where each release's journal ended, as the stack's history might tell."""
    releases = await ledger.history("adapter-prod")
    return [Anchor(each.id, each.journal, "update 42 of acme/cluster/prod") for each in releases]


async def tamper(path: Path, ledger: SqlLedger, *statements: str) -> str:
    """Do what somebody with the file could do, to the oldest release; its id."""
    victim = (await ledger.history("adapter-prod"))[-1].id
    before = (await ledger.journal(victim))[-1].previous
    words = {
        "VICTIM": victim,
        "OTHER_HASH": OTHER_HASH,
        "OTHER_COMMIT": OTHER_COMMIT,
        "HASH_BEFORE": before,
    }
    with sqlite3.connect(path) as connection:
        for name in ("journal_not_updated", "journal_not_deleted"):
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            parameters = [words[each] for each in re.findall("|".join(words), statement)]
            done = connection.execute(re.sub("|".join(words), "?", statement), parameters)
            assert done.rowcount == 1, statement
    connection.close()
    return victim


FOUND_INSIDE = {
    "flipped content": "UPDATE journal SET content = replace(content, 'pin', 'pun') "
    "WHERE release = VICTIM AND number = 3",
    "flipped kind": "UPDATE journal SET kind = 'hold' WHERE release = VICTIM AND number = 3",
    "kind that is none": "UPDATE journal SET kind = 'i~tent' WHERE release = VICTIM AND number = 3",
    "time without end": "UPDATE journal SET at = 9e999 WHERE release = VICTIM AND number = 2",
    "number without end": "UPDATE journal SET number = 9e999 WHERE release = VICTIM AND number = 3",
    "fence without end": "UPDATE journal SET fence = 9e999 WHERE release = VICTIM AND number = 2",
    "options that are no JSON": "UPDATE release SET options = '{~' WHERE id = VICTIM",
    "baseline that is no JSON": "UPDATE release SET baseline = '~' WHERE id = VICTIM",
    "notes that are none": "UPDATE release SET notes = '' WHERE id = VICTIM",
    "flipped time": "UPDATE journal SET at = at + 1 WHERE release = VICTIM AND number = 2",
    "flipped fence": "UPDATE journal SET fence = 7 WHERE release = VICTIM AND number = 2",
    "flipped hash": "UPDATE journal SET hash = OTHER_HASH WHERE release = VICTIM AND number = 2",
    "flipped link": "UPDATE journal SET previous = OTHER_HASH "
    "WHERE release = VICTIM AND number = 3",
    "deleted first": "DELETE FROM journal WHERE release = VICTIM AND number = 1",
    "deleted middle": "DELETE FROM journal WHERE release = VICTIM AND number = 3",
    "cut off last": "DELETE FROM journal WHERE release = VICTIM AND number = 6",
    "moved": "UPDATE journal SET number = 60 WHERE release = VICTIM AND number = 3",
    "given to another": "UPDATE journal SET release = 'elsewhere' "
    "WHERE release = VICTIM AND number = 6",
    "row says it is live": "UPDATE release SET state = 'live' WHERE id = VICTIM",
    "row names another commit": "UPDATE release SET commit_sha = OTHER_COMMIT WHERE id = VICTIM",
    "row asked for by another": "UPDATE release SET requested_by = 'eve' WHERE id = VICTIM",
    "row claims another head": "UPDATE release SET journal_head = OTHER_HASH WHERE id = VICTIM",
    "row forgets its journal": "UPDATE release SET journal_length = 0 WHERE id = VICTIM",
    "row deleted": "DELETE FROM release WHERE id = VICTIM",
}


@pytest.mark.parametrize("what", FOUND_INSIDE)
async def test_a_tampering_is_found_by_the_ledger_alone(
    tmp_path: Path, ledger: SqlLedger, what: str
) -> None:
    victim = await tamper(tmp_path / "ledger.db", ledger, FOUND_INSIDE[what])

    _, found = await all_flaws(ledger, [])

    assert found
    assert victim in {each.release for each in found}


async def test_two_entries_that_changed_places_are_found(tmp_path: Path, ledger: SqlLedger) -> None:
    await tamper(
        tmp_path / "ledger.db",
        ledger,
        "UPDATE journal SET number = 99 WHERE release = VICTIM AND number = 2",
        "UPDATE journal SET number = 2 WHERE release = VICTIM AND number = 3",
        "UPDATE journal SET number = 3 WHERE release = VICTIM AND number = 99",
    )

    assert (await all_flaws(ledger, []))[1]


async def test_a_cut_that_mends_the_row_is_found_by_the_witness_alone(
    tmp_path: Path, ledger: SqlLedger, anchors: list[Anchor]
) -> None:
    victim = await tamper(
        tmp_path / "ledger.db",
        ledger,
        "DELETE FROM journal WHERE release = VICTIM AND number = 6",
        "UPDATE release SET journal_length = 5, journal_head = HASH_BEFORE, state = 'releasing', "
        "reason = '', ended = NULL WHERE id = VICTIM",
    )

    alone, witnessed = await all_flaws(ledger, []), await all_flaws(ledger, anchors)

    assert alone == (2, [])
    assert [each.release for each in witnessed[1]] == [victim]
    assert "update 42 of acme/cluster/prod" in str(witnessed[1][0])


async def test_a_release_that_was_removed_whole_is_found_by_the_witness(
    ledger: SqlLedger, anchors: list[Anchor]
) -> None:
    gone = Anchor("0123456789ab", Head(3, "a" * 64), "update 7 of acme/cluster/prod")

    read, found = await all_flaws(ledger, [*anchors, gone])

    assert read == 2
    assert found == [
        Flaw("0123456789ab", "update 7 of acme/cluster/prod knows it, the ledger does not")
    ]


async def test_a_ledger_as_it_was_written_has_no_flaw(
    ledger: SqlLedger, anchors: list[Anchor]
) -> None:
    assert await all_flaws(ledger, anchors) == (2, [])
