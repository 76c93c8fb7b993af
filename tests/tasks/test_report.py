"""Reports say what happened, and text from outside can't break them."""

import asyncio
import threading
from dataclasses import replace
from typing import Any

import pytest

from flows import deploy
from slipway.domain.image import Digest
from slipway.domain.release import Release, State
from slipway.domain.rollout import Proof, ProvenPod
from slipway.ports import Evidence
from slipway.tasks import report as reporting
from slipway.tasks.report import Bar, all_told, evidence_report, release_report
from tests.fakes.virtual_time import run
from tests.fakes.world import World, deploy_request


def a_release() -> Release:
    async def story() -> Release:
        world = World.seeded()
        request = deploy_request(world.commits["second"].sha)
        return (await deploy.release(world.ports(), request)).release

    return run(story())


def test_a_release_report_says_what_was_before_and_after_and_how_long_it_took() -> None:
    release = a_release()

    text = release_report(release, [("published", 1.25), ("live", 12.0)], None)

    assert "deploy at ls-triton-adapter-prod: live" in text
    assert str(release.previous_digest) in text
    assert str(release.digest) in text
    assert "| ESC revision | 2 → 3 |" in text
    assert "| published | 1.2 s |" in text
    assert "| in all | 13.2 s |" in text


def test_a_release_report_shows_the_pods_that_prove_it() -> None:
    digest = Digest(f"sha256:{'a' * 64}")
    proof = Proof("1 of 1 pods run it", (ProvenPod("web-1", digest, restarts=0),))

    text = release_report(a_release(), [], proof)

    assert f"| web-1 | 0 | `{digest}` |" in text


def test_a_release_report_says_nothing_of_pods_where_nothing_is_proven() -> None:
    assert "What runs" not in release_report(a_release(), [], None)


def test_text_from_outside_stays_text() -> None:
    release = replace(
        a_release(), state=State.RESTORED, reason="disproven: <script>*</script> | x\n# *y* `z`"
    )

    text = release_report(release, [], None)

    assert "<script>" not in text
    assert r"\*&lt;/script&gt; \| x # \*y\* \`z\`" in text


def test_a_release_that_is_not_live_does_not_call_its_image_what_came_after() -> None:
    restored = replace(a_release(), state=State.RESTORED)

    text = release_report(restored, [], None)

    assert f"| tried | `{restored.digest}` |" in text
    assert "| after |" not in text
    assert "| ESC revision | 2 → 3, then the old value again |" in text


def test_an_evidence_report_shows_pods_events_and_the_last_words() -> None:
    evidence = Evidence(("app-1: CrashLoopBackOff",), ("BackOff",), ("Traceback", "KeyError: 'X'"))

    text = evidence_report("app-prod", "restarted 2 times", evidence)

    assert "- app-1: CrashLoopBackOff" in text
    assert text.index("    KeyError: 'X'") < text.index("## Pods") < text.index("- BackOff")


async def test_nobody_waits_for_the_progress_bar_and_its_end_is_shown() -> None:
    """Prefect's API may be slow, or gone: a release goes on meanwhile."""
    answering, shown = asyncio.Event(), []

    async def show(progress: float, words: str) -> None:
        await answering.wait()
        shown.append((progress, words))

    bar = Bar(show)
    bar.move(10, "resolved")
    await asyncio.sleep(0)
    for progress in (20, 30, 40):
        bar.move(progress, "between")
    bar.move(100, "live")
    assert shown == []
    answering.set()
    await bar.arrived()

    assert shown == [(10, "resolved"), (100, "live")]


class Teller:
    """Prefect's worker for events: `sent` once it has sent them all."""

    def __init__(self) -> None:
        self.sent = threading.Event()

    def wait_until_empty(self) -> None:
        self.sent.wait()


@pytest.fixture
def tellers(monkeypatch: pytest.MonkeyPatch) -> set[Any]:
    found: set[Any] = set()
    monkeypatch.setattr(reporting, "_tellers", found)
    return found


async def test_all_is_told_once_everybody_who_tells_has_sent_it(tellers: set[Any]) -> None:
    tellers |= {first := Teller(), second := Teller()}
    told = asyncio.create_task(all_told())
    first.sent.set()
    await asyncio.sleep(0.01)
    assert not told.done()

    second.sent.set()

    assert await told
    assert await all_told(), "nothing more was told since"


async def test_a_server_that_takes_no_events_holds_nobody_back_and_they_count_as_untold(
    tellers: set[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread that waits is none of the executor's, for which a process waits at its end."""
    monkeypatch.setattr(reporting, "TOLD_WITHIN", 0.05)
    tellers.add(stuck := Teller())

    assert not await all_told()

    waiting = [each for each in threading.enumerate() if each.name == "told"]
    assert waiting
    assert all(each.daemon for each in waiting)
    stuck.sent.set()
