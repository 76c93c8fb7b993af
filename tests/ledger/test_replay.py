"""Journals that earlier programs have written are read by this one, from first entry to last.

`fixtures/journals-*.jsonl` are lines of `slipway ledger export`, by the schema they were written
under: releases that are live, restored, refused, unproven, a rollback with its hold, and some that
recovery finished. Those of 0006 are a soak's, with the processes that worked on them.
"""

import json
from itertools import groupby
from operator import attrgetter

import pytest

from slipway.domain.journal import Chain, EntryKind, JournalEntry, flaws, folded, head_of
from slipway.domain.release import Kind, Release, State
from slipway.ledger.rows import release_from
from tests.ledger.migration import FIXTURES

JOURNALS = sorted(FIXTURES.glob("journals-*.jsonl"))


def chains(text: str) -> list[Chain]:
    records = [json.loads(line) for line in text.splitlines()]
    entries = [
        JournalEntry(**{**each, "kind": EntryKind(each["kind"])})
        for each in records
        if each.pop("table") == "journal"
    ]
    return [
        Chain(release, head_of(theirs), folded(theirs), theirs)
        for release, grouped in groupby(entries, attrgetter("release"))
        if (theirs := [*grouped])
    ]


def replayed(entries: list[JournalEntry]) -> Release:
    """The release as it stood after these entries."""
    head = head_of(entries)
    return release_from(
        {**folded(entries), "journal_length": head.length, "journal_head": head.hash}
    )


@pytest.fixture(params=JOURNALS, ids=lambda path: path.stem)
def kept(request: pytest.FixtureRequest) -> list[Chain]:
    return chains(request.param.read_text())


def test_journals_of_both_forms_are_kept() -> None:
    """Between them the schemas changed nothing that a journal says."""
    assert [path.stem for path in JOURNALS] == ["journals-0002", "journals-0006"]


def test_every_kept_journal_is_as_it_was_sealed(kept: list[Chain]) -> None:
    assert [flaws(each) for each in kept] == [[]] * len(kept)


def test_every_step_of_a_kept_journal_is_one_that_a_release_may_take(kept: list[Chain]) -> None:
    for chain in kept:
        before = replayed([chain.entries[0]])
        for number in range(2, len(chain.entries) + 1):
            after = replayed([*chain.entries[:number]])
            if after.state is not before.state:
                assert before.to(after.state).state is after.state
            before = after
        assert before == replayed([*chain.entries])


def test_the_kept_journals_tell_of_every_end_and_of_processes_that_were_struck() -> None:
    kept = [chain for path in JOURNALS for chain in chains(path.read_text())]
    ended = [replayed([*each.entries]) for each in kept]

    assert {each.state for each in ended} == {
        State.LIVE,
        State.RESTORED,
        State.REFUSED,
        State.NEEDS_ATTENTION,
    }
    assert {each.kind for each in ended} == set(Kind)
    assert {entry.kind for each in kept for entry in each.entries} == set(EntryKind)
    workers = [
        {entry.facts["worker"]["pid"] for entry in each.entries if entry.facts.get("worker")}
        for each in kept
    ]
    assert max(map(len, workers)) > 1
    assert any(entry.facts.get("engine") for each in kept for entry in each.entries)
