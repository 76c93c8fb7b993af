"""`slipway doctor`: each check with its remedy; nothing is changed."""

import asyncio
from dataclasses import replace

from slipway.domain.release import Kind, Phase, Request
from slipway.errors import Unreachable
from tests.cli.conftest import ADAPTER, Terminal
from tests.fakes.pods import STARTS_IN
from tests.fakes.world import HOST

EFFECTS_THAT_CHANGE = {"config.write", "stack.up", "stack.refresh", "cluster.restart"}


def failing(terminal: Terminal) -> dict[str, str]:
    report = terminal.json("doctor", ADAPTER, code=4)
    assert report["good"] is False
    return {each["name"]: each["problem"] for each in report["checks"] if not each["good"]}


def test_a_target_in_order_is_good_and_nothing_was_changed(terminal: Terminal) -> None:
    report = terminal.json("doctor", ADAPTER)

    assert report["good"] is True
    assert all(each["good"] for each in report["checks"])
    assert not EFFECTS_THAT_CHANGE & set(terminal.world.faults.effects)


def test_a_pull_secret_that_is_missing_is_told_with_its_remedy(terminal: Terminal) -> None:
    del terminal.world.cluster.secrets["ghcr-creds"]

    problems = failing(terminal)

    assert list(problems) == ["the pull secret can pull"]
    assert "ghcr-creds" in problems["the pull secret can pull"]
    assert "pulumi up" in problems["the pull secret can pull"]


def test_a_pull_secret_that_is_rejected_is_told(terminal: Terminal) -> None:
    terminal.world.cluster.add_secret("ghcr-creds", HOST, "puller", "revoked")

    assert "renew the token" in failing(terminal)["the pull secret can pull"]


def test_what_only_nodes_could_pull_is_no_fault_and_is_said_not_to_be_told(
    terminal: Terminal,
) -> None:
    terminal.world.deployment.pull_secrets = ()
    terminal.world.cluster.nodes_have_credentials = True

    report = terminal.json("doctor", ADAPTER)
    shown = terminal.type("doctor", ADAPTER).stdout

    assert report["good"]
    [note] = [each["note"] for each in report["checks"] if each["note"]]
    assert "registries.yaml" in note
    _, _, after = shown.partition("  ok    the pull secret can pull\n")
    assert after.startswith("        whether nodes can pull ")
    assert "can't be told" in after


def test_pods_that_did_not_take_up_the_image_lead_to_restart(
    terminal: Terminal,
) -> None:
    world = terminal.world
    world.publish("second")
    value = f"{world.target.service.repository}:{world.commits['second']}"
    world.config.edit("bob", adapterImage=value)

    problem = failing(terminal)["one image is pinned, applied and running"]

    assert f"slipway restart {ADAPTER}" in problem


def test_a_running_image_that_is_gone_is_told_before_a_release_is_refused_for_it(
    terminal: Terminal,
) -> None:
    world = terminal.world
    world.registry.images.clear()

    assert "--no-way-back" in failing(terminal)["there is a way back"]


def test_git_that_does_not_answer_hides_no_other_check(terminal: Terminal) -> None:
    terminal.world.faults.always("source.fetch", Unreachable("no route to git"))

    report = terminal.json("doctor", ADAPTER, code=4)

    assert [each["problem"] for each in report["checks"] if not each["good"]] == ["no route to git"]
    assert len(report["checks"]) >= 8


def test_a_shadowed_key_is_found_with_the_program_of_the_head(terminal: Terminal) -> None:
    key = terminal.world.target.config_key.key
    terminal.world.stack.shadows[key] = "ghcr.io/acme/shop/adapter:pinned"

    problems = failing(terminal)

    assert "the stack file wins over ESC" in problems["the stack file leaves the key to ESC"]


def test_people_see_a_line_a_check_and_the_problem_below(terminal: Terminal) -> None:
    del terminal.world.cluster.secrets["ghcr-creds"]

    shown = terminal.type("doctor", ADAPTER).stdout

    assert "  ok    Kubernetes answers" in shown
    assert "  FAIL  the pull secret can pull\n        pull secret apps/ghcr-creds" in shown


def test_docker_that_does_not_answer_and_an_account_that_may_not_push_are_told(
    terminal: Terminal,
) -> None:
    terminal.world.faults.always("builder.check", Unreachable("the engine is gone: start it"))
    terminal.world.registry.may_push = False

    problems = failing(terminal)

    assert problems["Docker answers"] == "the engine is gone: start it"
    assert "account publisher" in problems["the account may push"]


def test_pods_that_can_not_pull_are_told_with_reason_event_and_remedy(terminal: Terminal) -> None:
    cluster = terminal.world.cluster
    cluster.add_secret("ghcr-creds", HOST, "puller", "revoked")

    async def restart() -> None:
        cluster.restart_pods(terminal.world.deployment)
        await asyncio.sleep(STARTS_IN)

    terminal.session.run(restart())

    problem = failing(terminal)["every pod is ready"]

    assert "ErrImagePull" in problem
    assert "Warning BackOff" in problem
    assert "token in ESC" in problem


def test_which_images_ran_before_is_told_when_everything_is_in_order(terminal: Terminal) -> None:
    world = terminal.world
    terminal.deploy("second")
    terminal.deploy("third")

    shown = terminal.type("doctor", ADAPTER)
    report = terminal.json("doctor", ADAPTER)

    assert shown.exit_code == 0
    assert f"slipway rollback {ADAPTER} --to COMMIT" in shown.stdout
    digests = [str(world.digest_of(each)) for each in ("third", "second", "first")]
    assert [each["digest"] for each in report["images"]] == digests
    assert all(digest in shown.stdout for digest in digests[:2])


def opened(terminal: Terminal, phase: Phase) -> None:
    """A release of somebody else that has come so far."""

    async def open_one() -> None:
        world = terminal.world
        request = Request(Kind.DEPLOY, world.commits["second"].sha, "ada")
        release = await world.ledger.open(world.target, request)
        await world.ledger.save(replace(release, phase=phase))

    terminal.session.run(open_one())


def test_a_release_that_waits_or_builds_is_nothing_wrong(terminal: Terminal) -> None:
    opened(terminal, Phase.PUBLISHED)

    assert terminal.json("doctor", ADAPTER)["good"] is True


def test_a_release_past_the_decision_is_wrong_only_when_nobody_works_on_it(
    terminal: Terminal,
) -> None:
    opened(terminal, Phase.DECIDED)
    assert f"slipway recover {ADAPTER}" in failing(terminal)["no dead release stands open"]

    terminal.session.run(
        terminal.world.ledger.acquire(str(terminal.world.target.stack), "ada", 60.0)
    )
    assert terminal.json("doctor", ADAPTER)["good"] is True
