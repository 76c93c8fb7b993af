"""No secret of the sandbox is anywhere but where it is kept, whatever the runs did."""

import base64
import subprocess
import sys
import uuid
from datetime import UTC, datetime
from urllib.parse import quote

import pytest

from sandbox.box import Box
from tests.sandbox.conftest import until
from tests.sandbox.prefect.canaries import NOT_SEARCHED, places_of, search, secrets_of
from tests.sandbox.prefect.processes import Watch
from tests.sandbox.prefect.ui import Run, Ui
from tests.sandbox.releases.real_world import ADAPTER

pytestmark = [pytest.mark.sandbox, pytest.mark.timeout(1800)]


def canary() -> str:
    """Unlike anything else, with characters that encodings change."""
    return f"canary/{uuid.uuid4()}+ü"


def test_no_secret_is_where_it_must_not_be(
    box: Box, watch: Watch, live: Run, restored: Run, refused: Run
) -> None:
    for run in (live, restored, refused):
        run.log("is ")
    secrets = secrets_of(box)
    assert {"box: git", "pulumi: slipway", "registry: puller", "kubeconfig"} <= set(secrets)

    found, looked = search(secrets, places_of(box, watch.command_lines))

    assert found == []
    assert {
        "prefect/prefect.db: artifact.data",
        "prefect/prefect.db: flow_run.parameters",
        "prefect/prefect.db: log.message",
        "prefect/prefect.db: block_document.data",
        "ledger/ledger.db: release.reason",
        "logs/prefect-server.log",
        "logs/prefect-worker.log",
        "logs/kube-apiserver.log",
        "command lines",
    } <= looked


def test_what_is_not_searched_is_there_and_private(box: Box) -> None:
    for name in NOT_SEARCHED:
        path = box.root / name
        assert path.exists(), name
        guard = box.root if path.is_dir() else path
        assert guard.stat().st_mode & 0o077 == 0, name


def test_the_search_finds_a_canary_in_every_place(ui: Ui, box: Box, watch: Watch) -> None:
    planted = {}

    def plant(place: str) -> str:
        planted[place] = canary()
        return planted[place]

    flow_run = plant("prefect/prefect.db: flow_run.parameters")
    run = ui.start(f"deploy/{ADAPTER}", commit="0" * 40, why=flow_run).ended()
    line = {
        "name": "slipway",
        "level": 20,
        "message": f"GET /?token={quote(plant('prefect/prefect.db: log.message'), safe='')}",
        "timestamp": datetime.now(UTC).isoformat(),
        "flow_run_id": run.id,
    }
    ui.post("/logs/", [line])
    pair = f"robot:{plant('prefect/prefect.db: artifact.data')}"
    artifact = {"type": "markdown", "data": base64.b64encode(pair.encode()).decode()}
    ui.post("/artifacts/", {"key": "planted", **artifact})
    with (box.root / "logs" / "prefect-worker.log").open("a") as log:
        log.write(f"{plant('logs/prefect-worker.log')!r}\n")
    (box.folder("state") / "planted").write_text(plant("state/planted").encode().hex())
    words = [sys.executable, "-c", "input()", f"--password={plant('command lines')}"]
    with subprocess.Popen(words, stdin=subprocess.PIPE) as telling:
        told = planted["command lines"].encode()
        until(lambda: any(told in each for each in watch.command_lines), "its words are seen")
        telling.communicate(b"\n")

    found, _ = search(planted, places_of(box, watch.command_lines))

    places = {each.place for each in found if each.secret == each.place}
    assert places == set(planted)
    reason = [each for each in found if each.secret == "prefect/prefect.db: flow_run.parameters"]
    assert "ledger/ledger.db: release.why" in {each.place for each in reason}
