"""Ctrl-C and SIGTERM with --local: the release is cancelled once, and its changes are undone."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable

import pytest

from slipway.domain.image import ImageReference
from tests.cli.conftest import ADAPTER, Terminal


def send(*signals: signal.Signals) -> Callable[[], Awaitable[None]]:
    """A fault that sends the signals, and takes long enough for the loop to hear them."""

    def fault() -> Awaitable[None]:
        for each in signals:
            os.kill(os.getpid(), each)
        return asyncio.sleep(1)

    return fault


def what_runs(terminal: Terminal) -> set[str]:
    status = terminal.json("status", ADAPTER)
    assert status["agree"] is True, status["disagreements"]
    return {pod["digest"] for pod in status["pods"] if pod["ready"]}


@pytest.mark.parametrize("received", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_during_the_update_restores_with_code_3(
    terminal: Terminal, received: signal.Signals
) -> None:
    before = what_runs(terminal)
    terminal.world.faults.before("stack.up", send(received))

    release = terminal.deploy("second", code=3)

    assert release["state"] == "restored"
    assert release["reason"].startswith("cancelled: ")
    assert what_runs(terminal) == before
    assert terminal.json("status", ADAPTER)["ledger"]["lease"] is None


def test_a_second_signal_does_not_disturb_the_restore(terminal: Terminal) -> None:
    before = what_runs(terminal)
    faults = terminal.world.faults
    faults.before("stack.up", send(signal.SIGINT))
    faults.after("config.write", lambda: faults.after("config.write", send(signal.SIGTERM)))

    result = terminal.type("deploy", ADAPTER, terminal.world.commits["second"].sha, "--local")

    assert result.exit_code == 3, result.output
    assert "SIGINT: stopping" in result.stderr
    assert what_runs(terminal) == before


def test_the_same_signal_twice_cancels_once(terminal: Terminal) -> None:
    terminal.world.faults.before("stack.up", send(signal.SIGTERM, signal.SIGINT))

    result = terminal.type("deploy", ADAPTER, terminal.world.commits["second"].sha, "--local")

    assert result.exit_code == 3, result.output
    assert "already stopping" in result.stderr


def test_a_signal_before_the_pin_refuses_with_code_4(terminal: Terminal) -> None:
    revision = terminal.world.config.latest.number
    terminal.world.faults.before("builder.build", send(signal.SIGINT))

    release = terminal.deploy("second", code=4)

    assert release["reason"].startswith("cancelled: ")
    assert terminal.world.config.latest.number == revision


def test_the_handlers_are_gone_afterwards(terminal: Terminal) -> None:
    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]

    terminal.deploy("second")

    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == before
    reference = ImageReference.parse(str(terminal.world.value))
    assert reference.commit == terminal.world.commits["second"]
