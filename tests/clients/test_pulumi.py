"""How the pulumi CLI and the target's own command are started: what they see, and what they get."""

import asyncio
import logging
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from slipway.clients.pulumi import PulumiStack
from slipway.clients.pulumi_api import PulumiApi
from slipway.clients.pulumi_cli import PulumiCli, Scratch, is_busy, last_lines, scratch, words
from slipway.domain.commit import Commit
from slipway.domain.target import Service, StackName, Target, Workload
from slipway.errors import PreviewFailed, ProgramMissing, StackUnusable
from slipway.ports import ProgramRevision
from tests.clients.cloud import BACKEND, key

ROOT = Path(__file__).parents[2]
STACK = StackName("acme", "cluster", "prod")
HERE = Scratch(Path("/private"))
CANARY = SecretStr("canary-token")


def cli(program: str = "pulumi", **environment: str) -> PulumiCli:
    return PulumiCli(PulumiApi(BACKEND, CANARY), program, Path("/plugins"), environment)


def stack(*prepare: str) -> PulumiStack:
    service, workload = Service("web", "web", "ghcr.io/acme/web"), Workload("apps", "app")
    return PulumiStack(Target("web-prod", service, key(), STACK, workload, prepare=prepare), cli())


def script(folder: Path, text: str) -> str:
    """A command that stands in for a pulumi of another version."""
    path = folder / "pulumi"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_a_call_is_never_interactive_and_tells_its_events() -> None:
    assert words("pulumi", "up", STACK, HERE, "--yes", only="urn:x") == [
        *("pulumi", "up", "--non-interactive", "--stack", "acme/cluster/prod"),
        *("--color", "never", "--suppress-outputs", "--suppress-progress"),
        *("--event-log", "/private/events.jsonl", "--target", "urn:x", "--yes"),
    ]


def test_a_call_sees_what_is_on_the_list_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("CI", "PULUMI_OPTION_REFRESH", "AWS_SECRET_ACCESS_KEY", "PULUMI_STACK"):
        monkeypatch.setenv(name, "ambient")

    seen = cli(KUBECONFIG="/k").environment_for(HERE, PULUMI_OPTION_OVERRIDE_ENV="a=a@1")

    assert "ambient" not in seen.values()
    assert {name: value for name, value in seen.items() if name.startswith("PULUMI")} == {
        "PULUMI_ACCESS_TOKEN": "canary-token",
        "PULUMI_BACKEND_URL": BACKEND,
        "PULUMI_CREDENTIALS_PATH": "/private",
        "PULUMI_DEBUG_COMMANDS": "true",
        "PULUMI_HOME": "/plugins",
        "PULUMI_OPTION_OVERRIDE_ENV": "a=a@1",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }
    assert seen["KUBECONFIG"] == "/k"


def test_a_calls_folder_goes_with_the_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    with scratch() as where:
        (where.folder / "credentials.json").write_text("canary")
        mode = where.folder.stat().st_mode & 0o777

    assert mode == 0o700
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_goes_at_the_next_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    script = (
        "import os; from slipway.clients.pulumi_cli import scratch;"
        "held = scratch(); (held.__enter__().folder / 'credentials.json').touch();"
        "os._exit(0)"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", script], env=environment, cwd=ROOT, check=True)
    left = list(tmp_path.iterdir())

    with scratch() as first, scratch() as second:
        kept = set(tmp_path.iterdir())

    assert len(left) == 1
    assert kept == {first.folder, second.folder}


def test_nothing_that_is_printed_shows_the_token() -> None:
    assert "canary" not in f"{stack()!r} {cli()!r}"


@pytest.mark.parametrize("said", ["v3.254.0", "3.259.0", "v4.0.0-alpha.1"])
async def test_a_cli_that_can_pin_revisions_is_taken(tmp_path: Path, said: str) -> None:
    await cli(script(tmp_path, f"echo {said}")).require_version()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("echo v3.253.9", "can't pin ESC revisions: install 3.254"),
        ("echo broken >&2; exit 1", "version failed: broken"),
        ("echo dev", "version failed: dev"),
    ],
)
async def test_another_cli_is_refused(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(StackUnusable, match=why):
        await cli(script(tmp_path, text)).require_version()


async def test_a_cli_that_is_not_there_is_named() -> None:
    with pytest.raises(ProgramMissing, match="no-such-pulumi can't be started"):
        await cli("no-such-pulumi").require_version()


async def test_the_targets_command_runs_in_the_checkout_without_credentials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NPM_TOKEN", "canary")

    await stack("sh", "-c", "env > seen; echo $HOME > home").prepare(tmp_path)

    seen = (tmp_path / "seen").read_text()
    assert "canary" not in seen
    assert "PULUMI" not in seen
    assert (tmp_path / "home").read_text().strip() != str(Path.home())


async def test_a_targets_command_that_fails_is_told_with_its_words(tmp_path: Path) -> None:
    with pytest.raises(StackUnusable, match=r"sh -c .* ended with 3 in the checkout: no types"):
        await stack("sh", "-c", "echo no types >&2; exit 3").prepare(tmp_path)


async def test_without_a_command_nothing_is_prepared(tmp_path: Path) -> None:
    await stack().prepare(tmp_path)

    assert list(tmp_path.iterdir()) == []  # noqa: ASYNC240 - a temporary folder


async def test_what_programs_print_is_logged_and_told_without_credentials(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    program = tmp_path / "cluster"
    program.mkdir()
    (program / "Pulumi.yaml").write_text("name: cluster\n")
    (program / "Pulumi.prod.yaml").write_text("environment: [default/cluster]\n")
    api = PulumiApi(BACKEND, CANARY, httpx.MockTransport(lambda _: httpx.Response(200, json={})))
    prints = script(
        tmp_path,
        "echo NPM_TOKEN=canary-npm; echo token is canary-token; "
        "echo error: https://canary-git@host/x >&2; exit 1",
    )
    (tmp_path / "build").write_text("echo password: canary-prepared >&2; exit 3")
    made = stack("sh", "build")
    made.cli = PulumiCli(api, prints, Path("/plugins"), {})
    revision = ProgramRevision(tmp_path, Commit("1" * 40), 3)

    applied = await made.up(revision, "a release", asyncio.Event())
    with pytest.raises(PreviewFailed) as previewed:
        await made.preview(revision)
    with pytest.raises(StackUnusable) as prepared:
        await made.prepare(tmp_path)

    assert "pulumi: NPM_TOKEN=***" in caplog.messages
    told = [*caplog.messages, applied.why, str(previewed.value), str(prepared.value)]
    assert "https://***@host/x" in applied.why
    assert "canary" not in "".join(told)


async def test_a_checkout_without_the_program_is_unusable(tmp_path: Path) -> None:
    with pytest.raises(StackUnusable, match=r"cluster/Pulumi\.yaml is not in the commit"):
        await stack().shadow(tmp_path, key())


async def test_the_stack_file_is_found_in_the_targets_program(tmp_path: Path) -> None:
    folder = tmp_path / "deploy"
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text("name: cluster\n")
    text = "environment: [default/cluster]\nconfig: {cluster:adapterImage: stale}\n"
    (folder / "Pulumi.prod.yaml").write_text(text)
    made = stack()
    made.target = replace(made.target, program="deploy")

    assert await made.shadow(tmp_path, key()) == "stale"


@pytest.mark.parametrize(
    ("said", "busy"),
    [
        ("error: [409] Conflict: Another update is currently in progress.", True),
        ("error: the stack is currently locked by 1 lock(s)", True),
        ("error: update failed", False),
    ],
)
def test_a_held_stack_is_recognised(said: str, *, busy: bool) -> None:
    assert is_busy(said) is busy


def test_the_engines_own_errors_come_before_the_rest_of_the_output() -> None:
    greeting = "Logging in using access token from PULUMI_ACCESS_TOKEN\nerror: no stack"

    assert last_lines(["bad", "bad", "worse"], "noise", "noise") == "bad; worse"
    assert last_lines([], greeting, "") == "error: no stack"
    assert last_lines([], "Logging in using access token from PULUMI_ACCESS_TOKEN", "no") == "no"
    assert last_lines([], "", "") == "it said nothing"


class Held:
    """Pulumi Cloud with one update that holds the stack, until another follows it."""

    def __init__(self, *ids: str, message: str = "ours", result: str = "in-progress") -> None:
        self.ids, self.message, self.result = list(ids), message, result
        self.cancelled: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            self.cancelled.append(request.url.path)
            return httpx.Response(204)
        if request.url.path.endswith("/updates"):
            update = {"version": 7, "kind": "update", "result": self.result}
            return httpx.Response(200, json={"updates": [update | {"message": self.message}]})
        held = self.ids.pop(0) if len(self.ids) > 1 else self.ids[0]
        busy = {"currentOperation": {"kind": "update"}} if held else {}
        return httpx.Response(200, json={"activeUpdate": held or "old", **busy})

    async def cancel(self, message: str = "ours") -> bool:
        api = PulumiApi(BACKEND, CANARY, httpx.MockTransport(self))
        async with api:
            return await replace(stack(), cli=PulumiCli(api)).cancel(message)


async def test_a_dead_update_is_cancelled_by_its_id() -> None:
    held = Held("u-7")

    assert await held.cancel()
    assert held.cancelled == ["/api/stacks/acme/cluster/prod/update/u-7/cancel"]


@pytest.mark.parametrize(
    "held",
    [
        Held("u-7", message="somebody's"),
        Held("u-7", result="failed"),
        Held("u-7", "u-8"),
        Held("", "u-8"),
        Held("u-7", ""),
        Held(""),
    ],
    ids=["another's", "ended", "followed", "begun", "over", "idle"],
)
async def test_any_other_update_is_not_cancelled(held: Held) -> None:
    assert not await held.cancel()
    assert held.cancelled == []
