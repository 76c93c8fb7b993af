"""Which releases are ways back from what is there now."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from slipway.domain.commit import Commit
from slipway.domain.hold import Barred
from slipway.domain.image import Digest
from slipway.domain.release import Baseline, Kind, Release, Request, State
from slipway.domain.way_back import Leaving, leaving, previous

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
REPOSITORY = "ghcr.io/acme/shop/adapter"
OLD, NEW, NEWEST, BAD = "1", "2", "3", "b"


def digest(name: str) -> Digest:
    return Digest("sha256:" + name * 64)


def child(name: str) -> Digest:
    """By which a runtime may report the image instead."""
    return Digest(f"sha256:{name * 63}c")


def reference(name: str) -> str:
    return f"{REPOSITORY}:{name * 40}@{digest(name)}"


def live(name: str, hour: int, kind: Kind = Kind.DEPLOY, **more: object) -> Release:
    at = NOON + timedelta(hours=hour)
    made = Release(
        f"{name}-{hour}",
        "adapter-prod",
        "acme/shop/prod",
        Request(kind, name * 40, "ada", why="because"),
        at,
        state=State.LIVE,
        commit=Commit(name * 40),
        digest=digest(name),
        image=reference(name),
        accepted=frozenset({digest(name), child(name)}),
        ended=at,
        live_since=at,
    )
    return replace(made, **more)  # type: ignore[arg-type] # tests name real fields


def baseline(spec_image: str) -> Baseline:
    return Baseline(7, "etag", spec_image, spec_image, spec_image, running=None, ready=0)


def ways(history: Sequence[Release], running: Digest | None, asked: str) -> list[Digest | None]:
    left = leaving(history, running, asked)
    return [each.digest for each in previous(history, left)]


HISTORY = (live(NEWEST, 3), live(NEW, 2), live(OLD, 1))


def test_what_ready_pods_run_is_left_by_whatever_digest_the_runtime_reports_it() -> None:
    for running in (digest(NEWEST), child(NEWEST)):
        assert ways(HISTORY, running, reference(NEWEST)) == [digest(NEW), digest(OLD)]


def test_without_a_ready_pod_what_is_asked_for_is_left_if_it_was_ever_proven_live() -> None:
    by_child = f"{REPOSITORY}:{NEWEST * 40}@{child(NEWEST)}"
    by_tag = f"{REPOSITORY}:{NEWEST * 40}"
    for asked in (reference(NEWEST), by_child, by_tag, f"{REPOSITORY}@{digest(NEWEST)}"):
        assert ways(HISTORY, None, asked) == [digest(NEW), digest(OLD)], asked


def test_from_an_image_that_was_never_proven_live_it_goes_to_what_was_live_last() -> None:
    nobodys = f"elsewhere.example/{NEWEST}:{NEWEST * 40}"
    for asked in (reference(BAD), f"{REPOSITORY}:main", nobodys, "not an image", ""):
        assert ways(HISTORY, None, asked) == [digest(NEWEST), digest(NEW), digest(OLD)], asked


def test_where_a_rollback_has_failed_and_stays_it_goes_further_back_and_not_forth() -> None:
    assert ways(HISTORY, None, reference(NEW)) == [digest(OLD)]


def test_what_is_asked_for_and_does_not_come_up_is_no_way_back_from_what_still_runs() -> None:
    assert ways(HISTORY, digest(NEWEST), reference(NEW)) == [digest(OLD)]


def test_what_had_no_ready_pod_when_it_was_rolled_away_from_is_no_way_back_later() -> None:
    back = live(OLD, 4, Kind.ROLLBACK, baseline=baseline(reference(NEW)))
    history = (live(NEWEST, 5), back, live(NEW, 2), live(OLD, 1))

    assert ways(history, digest(NEWEST), reference(NEWEST)) == [digest(OLD)]


def test_what_was_rolled_away_from_is_known_by_a_platforms_digest_too() -> None:
    back = live(OLD, 4, Kind.ROLLBACK, previous_digest=child(NEW))
    history = (live(NEWEST, 5), back, live(NEW, 2), live(OLD, 1))

    assert ways(history, digest(NEWEST), reference(NEWEST)) == [digest(OLD)]


def test_where_nothing_is_known_the_way_back_is_what_was_live_last() -> None:
    assert previous(HISTORY, Leaving())[0].digest == digest(NEWEST)


def test_what_is_vetoed_is_no_way_back_under_whatever_name() -> None:
    renamed = live(NEW, 3, commit=Commit("d" * 40))
    history = (live(NEWEST, 4), renamed, live(NEW, 2), live(OLD, 1))
    barred = Barred(frozenset({Commit(NEW * 40)}), {digest(NEW): Commit(NEW * 40)})

    found = previous(history, Leaving(digest(NEWEST), digest(NEWEST)), barred)

    assert [each.digest for each in found] == [digest(OLD)]


def test_a_long_history_takes_no_more_time_a_release_than_a_short_one() -> None:
    def steps(length: int) -> int:
        """How often the history's digests are compared: no clock that other work disturbs."""
        made = [numbered(each) for each in range(length)]
        return counted(lambda: previous(made, Leaving(made[0].digest, made[0].digest)))

    assert steps(800) < 5 * steps(200)


def numbered(number: int) -> Release:
    image = Digest(f"sha256:{number:064x}")
    return live(OLD, -number, digest=image, accepted=frozenset({image}))


def counted(work: Callable[[], object]) -> int:
    """Lines and calls that Python executes for it."""
    events = 0

    def count(*_: object) -> Any:
        nonlocal events
        events += 1
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        work()
    finally:
        sys.settrace(before)
    return events
