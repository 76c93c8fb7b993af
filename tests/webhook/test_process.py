"""`slipway webhook` as a process: what it acknowledged outlives it, whatever ends it."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from slipway.cli.main import USAGE_ERROR, main
from tests.webhook.process import ROOT, TARGET, WebhookProcess


@pytest.fixture
def webhook(tmp_path: Path) -> WebhookProcess:
    return WebhookProcess(tmp_path)


def waits_for(webhook: WebhookProcess, words: str) -> None:
    """Poll until the newest delivery says what it waits for."""
    deadline = time.monotonic() + 240
    while words not in (shown := webhook.deliveries()[0]["targets"][0]["reason"]):
        assert time.monotonic() < deadline, shown + webhook.log()
        time.sleep(0.2)


@pytest.mark.timeout(900)  # processes start slowly where others are busy
def test_what_was_acknowledged_outlives_kill_9_and_waits_while_prefect_is_away(
    webhook: WebhookProcess,
) -> None:
    before, after = webhook.repository.commit(main="1"), webhook.repository.commit(main="2")

    with webhook.running(end=signal.SIGKILL):
        first = webhook.deliver_push(after, before, "delivery-1")
    with webhook.running() as second:
        again = webhook.deliver_push(after, before, "delivery-1")
        waits_for(webhook, "Prefect at http://127.0.0.1:9/api did not answer")

    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json() == {"delivery": "delivery-1", "duplicate": True, "outcome": "accepted"}
    assert second.returncode == 0
    assert "watching for releases that a dead process left at acme/cluster/prod" in webhook.log()
    [delivery] = webhook.deliveries()
    assert (delivery["id"], delivery["after"]) == ("delivery-1", after)
    [at] = delivery["targets"]
    assert (at["target"], at["outcome"]) == (TARGET, None)
    assert webhook.environment["SLIPWAY_WEBHOOK_SECRETS"] not in webhook.log()


def test_without_its_secret_it_does_not_start_and_says_what_to_set(
    webhook: WebhookProcess,
) -> None:
    environment = {**webhook.environment, "SLIPWAY_WEBHOOK_SECRETS": ""}

    ended = CliRunner(env=environment).invoke(main, ["--config", str(webhook.config), "webhook"])

    assert ended.exit_code == USAGE_ERROR
    assert "SLIPWAY_WEBHOOK_SECRETS is not set" in ended.stderr


def test_neither_the_receiver_nor_deliveries_imports_prefect() -> None:
    program = (
        "import sys, slipway.cli.webhook, slipway.cli.deliveries; "
        "sys.exit('prefect' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False)

    assert done.returncode == 0
