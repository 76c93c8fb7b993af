"""The journal's chain: whatever is changed in it afterwards is found."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.domain.journal import (
    Anchor,
    Chain,
    EntryKind,
    Head,
    JournalEntry,
    canonical,
    flaws,
    folded,
    head_of,
    sealed,
)

RELEASE = "0123456789ab"
TEXT = st.text(max_size=20)
CONTENT = st.dictionaries(TEXT, TEXT | st.integers() | st.none() | st.booleans(), max_size=4)
CONTENTS = st.lists(st.tuples(st.sampled_from(EntryKind), CONTENT), min_size=2, max_size=6)


def chain_of(contents: list[tuple[EntryKind, dict[str, object]]]) -> Chain:
    entries: list[JournalEntry] = []
    for step, content in enumerate(contents):
        entries += sealed(RELEASE, head_of(entries), [content], at=1e9 + step / 3, fence=step)
    return Chain(RELEASE, head_of(entries), folded(entries), entries)


def with_entries(chain: Chain, entries: list[JournalEntry]) -> Chain:
    return replace(chain, entries=entries)


def anchor(chain: Chain, number: int) -> Anchor:
    return Anchor(RELEASE, head_of(chain.entries[:number]), f"update {number}")


@given(CONTENTS)
def test_a_chain_as_it_was_written_has_no_flaw(
    contents: list[tuple[EntryKind, dict[str, object]]],
) -> None:
    chain = chain_of(contents)
    everywhere = [anchor(chain, number) for number in range(1, len(chain.entries) + 1)]

    assert flaws(chain, everywhere) == []


@given(CONTENTS, st.data())
def test_a_changed_character_of_the_content_is_found(
    contents: list[tuple[EntryKind, dict[str, object]]], data: st.DataObject
) -> None:
    chain = chain_of(contents)
    place = data.draw(st.integers(0, len(chain.entries) - 1))
    entry = chain.entries[place]
    at = data.draw(st.integers(0, len(entry.content) - 1))
    other = data.draw(st.characters(codec="ascii").filter(lambda each: each != entry.content[at]))
    text = entry.content[:at] + other + entry.content[at + 1 :]
    entries = [*chain.entries]
    entries[place] = replace(entry, content=text)

    assert flaws(replace(chain, entries=entries, row={})) != []


@pytest.mark.parametrize(
    "change",
    [
        {"release": "ba9876543210"},
        {"kind": EntryKind.VETO},
        {"at": 2.5},
        {"fence": 999},
        {"previous": "f" * 64},
        {"hash": "f" * 64},
        {"number": 77},
    ],
)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_any_other_change_of_an_entry_is_found(change: dict[str, object], place: int) -> None:
    chain = chain_of([(EntryKind.STATE, {"a": 1}), (EntryKind.INTENT, {}), (EntryKind.HOLD, {})])
    entries = [*chain.entries]
    entries[place] = replace(entries[place], **change)  # type: ignore[arg-type] # one field each

    assert flaws(with_entries(chain, entries)) != []


@given(CONTENTS, st.data())
def test_a_deleted_entry_is_found_the_last_one_too(
    contents: list[tuple[EntryKind, dict[str, object]]], data: st.DataObject
) -> None:
    chain = chain_of(contents)
    place = data.draw(st.integers(0, len(chain.entries) - 1))
    left = [*chain.entries[:place], *chain.entries[place + 1 :]]

    assert flaws(replace(chain, entries=left, row=folded(left))) != []


@given(CONTENTS, st.data())
def test_entries_in_another_order_are_found(
    contents: list[tuple[EntryKind, dict[str, object]]], data: st.DataObject
) -> None:
    chain = chain_of(contents)
    order = data.draw(st.permutations(range(len(chain.entries))))
    if order == sorted(order):
        return
    moved = [
        replace(chain.entries[each], number=number) for number, each in enumerate(order, start=1)
    ]

    assert flaws(with_entries(chain, moved)) != []


@given(CONTENTS, st.data())
def test_a_chain_cut_together_with_its_row_is_found_by_an_anchor(
    contents: list[tuple[EntryKind, dict[str, object]]], data: st.DataObject
) -> None:
    chain = chain_of(contents)
    left = chain.entries[: data.draw(st.integers(1, len(chain.entries) - 1))]
    cut = Chain(RELEASE, head_of(left), folded(left), left)

    assert flaws(cut) == []
    assert flaws(cut, [anchor(chain, len(chain.entries))]) != []


@given(CONTENTS, st.data())
def test_a_chain_written_anew_is_found_by_an_anchor(
    contents: list[tuple[EntryKind, dict[str, object]]], data: st.DataObject
) -> None:
    chain = chain_of(contents)
    place = data.draw(st.integers(0, len(contents) - 1))
    kind, content = contents[place]
    forged = chain_of([*contents[:place], (kind, {**content, "x": 1.5}), *contents[place + 1 :]])

    assert flaws(forged) == []
    assert flaws(forged, [anchor(chain, place + 1)]) != []
    assert flaws(forged, [anchor(chain, len(chain.entries))]) != []


def test_a_row_that_says_something_else_than_its_journal_is_found() -> None:
    chain = chain_of([(EntryKind.STATE, {"state": "releasing"}), (EntryKind.STATE, {"a": None})])

    [flaw] = flaws(replace(chain, row={"state": "live", "a": None}))

    assert str(flaw) == f"release {RELEASE}: state is not what the journal tells"


def test_a_release_whose_journal_is_gone_is_found() -> None:
    assert flaws(Chain(RELEASE, Head(), {}, [])) != []


def test_a_head_is_read_as_it_is_written() -> None:
    head = Head(12, "ab" * 32)

    assert Head.parse(str(head)) == head


def test_equal_values_are_written_alike() -> None:
    assert canonical({"b": 1, "a": "née"}) == canonical({"a": "née", "b": 1})
    assert "\n" not in canonical({"a": "two\nlines"})
