"""`slipway audit`: what people and scripts read of an audit, and how it ends."""

import asyncio
import shlex
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from slipway.domain.hold import NewHold
from slipway.domain.publication import REVISION_LABEL
from slipway.domain.release import Phase
from slipway.errors import Unreachable
from tests.cli.conftest import ADAPTER, SINK, Terminal
from tests.fakes.images import make_image
from tests.fakes.world import World, deploy_request, reference_of

KEYS = {
    "fingerprint",
    "id",
    "severity",
    "target",
    "about",
    "expected",
    "seen",
    "remedy",
    "command",
    "state",
}


@pytest.fixture
def spoilt(terminal: Terminal) -> Terminal:
    """A system in which somebody has edited ESC since the last deploy."""
    terminal.deploy("second")
    terminal.deploy("third")
    terminal.world.git.branches["main"] = terminal.world.commits["third"].sha
    terminal.world.config.edit("bob", adapterImage=reference_of(terminal.world, "second"))
    return terminal


def test_a_finding_tells_scripts_everything(spoilt: Terminal) -> None:
    report = spoilt.json("audit", ADAPTER)

    [found] = report["findings"]
    assert set(found) == KEYS
    assert (found["id"], found["severity"], found["target"]) == ("IMG006", "error", ADAPTER)
    assert "by bob" in found["seen"]
    assert found["command"] == f"slipway deploy {ADAPTER} {spoilt.world.commits['third']}"
    assert (report["worst"], report["gone"]) == ("error", [])
    [target] = report["targets"]
    third, digest = spoilt.world.commits["third"].sha, spoilt.world.digest_of("third")
    assert target == {
        "target": ADAPTER,
        "image": reference_of(spoilt.world, "third"),
        "running": [str(digest)],
        "last_change": third,
        "behind": 0,
        "unknown": {},
        "unjudged": ["IMG016", "SYS009"],
        "unjudged_why": {
            "IMG016": "not every tag of all targets was looked up (--every-tag)",
            "SYS009": "not all targets were looked at",
        },
        "findings": 1,
    }


def test_the_printed_command_mends_what_was_found(spoilt: Terminal) -> None:
    [found] = spoilt.json("audit", ADAPTER, "--record")["findings"]
    program, *words = found["command"].split()
    assert program == "slipway"

    spoilt.type(*words, "--local")

    after = spoilt.json("audit", ADAPTER, "--record")
    assert after["findings"] == []
    assert [each["fingerprint"] for each in after["gone"]] == [found["fingerprint"]]


def test_people_read_what_runs_where_then_what_is_wrong_and_what_to_type(spoilt: Terminal) -> None:
    shown = spoilt.type("audit").stdout

    third = spoilt.world.commits["third"]
    assert f"{ADAPTER}  {third.short}" in shown
    assert SINK in shown
    assert f"error IMG006 at {ADAPTER} (new)" in shown
    assert f"slipway deploy {ADAPTER} {third}" in shown


@pytest.mark.parametrize(
    ("severity", "code"), [("info", 5), ("error", 5), ("critical", 0), (None, 0)]
)
def test_the_exit_code_says_whether_a_finding_is_so_severe(
    spoilt: Terminal, severity: str | None, code: int
) -> None:
    words = ("--fail-on", severity) if severity else ()

    assert spoilt.type("audit", ADAPTER, *words).exit_code == code


def test_a_quiet_system_has_nothing_to_tell(terminal: Terminal) -> None:
    terminal.deploy("third")
    terminal.world.git.branches["main"] = terminal.world.commits["third"].sha

    assert "nothing found" in terminal.type("audit", ADAPTER, "--fail-on", "info").stdout


def test_people_and_scripts_read_why_something_was_not_judged(terminal: Terminal) -> None:
    terminal.deploy("third")
    terminal.world.git.branches["main"] = terminal.world.commits["third"].sha
    terminal.world.faults.always("registry.find", Unreachable("no route to ghcr.io"))

    [target] = terminal.json("audit", ADAPTER)["targets"]
    shown = terminal.type("audit", ADAPTER).stdout

    assert target["unjudged"] == sorted(target["unjudged_why"])
    assert target["unjudged_why"]["IMG001"] == "no route to ghcr.io"
    [line] = [each for each in shown.splitlines() if each.startswith("not judged")]
    assert line.startswith(f"not judged at {ADAPTER}: IMG001, IMG004")
    assert line.endswith(": no route to ghcr.io")


def test_who_asks_for_every_tag_of_one_target_is_told_what_only_all_can_tell(
    terminal: Terminal,
) -> None:
    terminal.deploy("third")

    some = terminal.type("audit", ADAPTER, "--every-tag").stdout
    every = terminal.type("audit", "--every-tag").stdout

    assert f"not judged at {ADAPTER}: IMG016: " in some
    assert "name no target" in some
    assert "IMG016" not in every


def test_an_audit_imports_no_prefect() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import sys, slipway.cli.audit; sys.exit('prefect' in sys.modules)"],
        check=False,
    )

    assert done.returncode == 0


def _gone(world: World) -> None:
    digest = world.digest_of("third")
    assert digest is not None
    world.registry.delete(world.target.service.repository, digest)


def _by_hand(world: World, image: str) -> None:
    world.config.edit("bob", adapterImage=image)
    world.resources[0].recorded = image
    world.cluster.set_image(world.deployment, image)


def _by_main(world: World) -> None:
    _by_hand(world, f"{world.target.service.repository}:main")


def _rebuilt(world: World) -> None:
    """A commit that no release has published is built again, while the first build of it runs."""
    repository = world.target.service.repository
    tag = world.git.commit("more", {"adapter/app.py": "good 4"}).sha
    labels = {REVISION_LABEL: tag}
    world.registry.put(repository, tag, make_image("good 4", labels))
    _by_hand(world, f"{repository}:{tag}")
    world.registry.put(repository, tag, make_image("good 4, again", labels))


def _unlabelled(world: World) -> None:
    digest, repository = world.digest_of("third"), world.target.service.repository
    assert digest is not None
    image = world.registry.images[repository, digest]
    world.registry.images[repository, digest] = replace(image, labels={})


def _no_way_back(world: World) -> None:
    for name in ("first", "second"):
        digest = world.digest_of(name)
        assert digest is not None
        world.registry.delete(world.target.service.repository, digest)
    _newer(world)


def _elsewhere(world: World) -> None:
    world.config.edit("bob", adapterImage="ghcr.io/mallory/adapter:1")


def _newer(world: World) -> None:
    world.git.commit("more", {"adapter/app.py": "good 4"})


async def _held(world: World) -> None:
    await world.ledger.place_hold(world.target.name, NewHold("freeze", "bob"))


async def _died(world: World) -> None:
    request = deploy_request(world.commits["second"].sha)
    release = await world.ledger.open(world.target, request)
    lease = await world.ledger.acquire(str(world.target.stack), release.id, 1.0)
    assert lease is not None
    await world.ledger.save(replace(release.at(Phase.DECIDED), fence=lease.fence))
    await asyncio.sleep(5)


async def _spoilt(world: World, spoil: Callable[[World], Awaitable[None] | None]) -> None:
    made = spoil(world)
    if made is not None:
        await made
    await asyncio.sleep(30)


@pytest.mark.parametrize(
    ("rule", "spoil"),
    [
        ("IMG001", _gone),
        ("IMG007", _rebuilt),
        ("IMG008", _by_main),
        ("IMG009", _unlabelled),
        ("IMG011", _newer),
        ("IMG012", _no_way_back),
        ("IMG015", _elsewhere),
        ("SYS006", _held),
        ("SYS007", _died),
    ],
)
def test_typing_what_a_finding_prints_ends_it(
    terminal: Terminal, rule: str, spoil: Callable[[World], Awaitable[None] | None]
) -> None:
    terminal.deploy("second")
    terminal.deploy("third")
    world = terminal.world
    world.git.branches["main"] = world.commits["third"].sha
    terminal.session.run(_spoilt(world, spoil))
    before = {each["id"]: each for each in terminal.json("audit", ADAPTER)["findings"]}

    program, *words = shlex.split(before[rule]["command"])
    assert program == "slipway"
    here = ["--local"] if words[0] in {"deploy", "rollback"} else []
    done = terminal.type(*words, *here)

    assert done.exit_code in {0, 4}, done.output  # recovery ends what had changed nothing refused
    after = {each["id"] for each in terminal.json("audit", ADAPTER)["findings"]}
    assert rule not in after
    # A rollback leaves a newer commit behind, and a hold; the fake ledger's time is long over.
    assert after <= {"IMG011", "SYS006"}
