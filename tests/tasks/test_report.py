"""Reports say what happened, and text from outside can't break them."""

from dataclasses import replace

from flows import deploy
from slipway.domain.release import Release, State
from slipway.ports import Evidence
from slipway.tasks.report import evidence_report, release_report
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

    text = release_report(release, [("published", 1.25), ("live", 12.0)])

    assert "deploy at ls-triton-adapter-prod: live" in text
    assert str(release.previous_digest) in text
    assert str(release.digest) in text
    assert "| ESC revision | 2 → 3 |" in text
    assert "| published | 1.2 s |" in text


def test_text_from_outside_stays_text() -> None:
    release = replace(
        a_release(), state=State.RESTORED, reason="disproven: <script>alert(1)</script> | x"
    )

    text = release_report(release, [])

    assert "<script>" not in text
    assert "\\| x" in text


def test_an_evidence_report_shows_pods_events_and_the_last_words() -> None:
    evidence = Evidence(("app-1: CrashLoopBackOff",), ("BackOff",), ("Traceback", "KeyError: 'X'"))

    text = evidence_report("app-prod", "restarted 2 times", evidence)

    assert "    app-1: CrashLoopBackOff" in text
    assert "    KeyError: 'X'" in text
