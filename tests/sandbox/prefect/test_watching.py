"""Audit and drill as a worker runs them: their tables, their events, an automation on these."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from sandbox import prefect_server
from sandbox.box import Box
from tests.sandbox.conftest import until
from tests.sandbox.prefect.stand import World
from tests.sandbox.prefect.ui import Run, Ui
from tests.sandbox.releases.real_world import ADAPTER, SINK
from tests.sandbox.serving import serving
from tests.wheel import ROOT

pytestmark = [pytest.mark.sandbox, pytest.mark.timeout(1800)]

EXAMPLE = ROOT / "docs" / "automation.yaml"
NEW, GONE = "slipway.finding.new", "slipway.finding.gone"
FAILED = "slipway.drill.failed"


def test_a_new_finding_is_in_the_audits_table_and_told_once_and_told_again_when_it_is_gone(
    ui: Ui, world: World, live: Run, box: Box, tmp_path: Path
) -> None:
    """docs/automation.yaml sends on what is told, by the block that it names."""
    assert live.state[1] == "Live"
    ui.start("audit/all").ended()

    with notified(ui, box, tmp_path) as notes:
        with world.esc.edited(adapter_by_main):
            found = ui.start("audit/all").ended()
            again = ui.start("audit/all").ended()
        gone = ui.start("audit/all").ended()

        [row] = of_the_edit(found.table("audit-findings"))
        assert (row["state"], row["severity"], row["target"]) == ("new", "error", ADAPTER)
        assert {each["target"] for each in found.table("audit-what-runs")} == {ADAPTER, SINK}
        [told] = found.events(NEW, 1)
        assert told["payload"]["command"].startswith(f"slipway deploy {ADAPTER} ")
        labels = {"slipway.target": ADAPTER, "slipway.severity": "error", "slipway.rule": "IMG006"}
        assert labels.items() <= told["resource"].items()
        [row] = of_the_edit(again.table("audit-findings"))
        assert row["state"] == "persisting"
        [ended] = gone.events(GONE, 1)
        assert ended["resource"]["prefect.resource.id"] == told["resource"]["prefect.resource.id"]
        assert ui.events(again.id, NEW) == ui.events(gone.id, NEW) == []

        until(lambda: notes, "the automation has told somebody", within=120)
        assert [each["subject"] for each in notes] == [subject_of(told["payload"])]
        assert told["payload"]["command"] in notes[0]["body"]


def test_a_drill_leaves_what_each_target_could_go_back_to_and_tells_where_none_could(
    ui: Ui, world: World, live: Run
) -> None:
    """The sink runs what was pushed by hand, with nothing before it that could be lost."""
    assert live.state[1] == "Live"
    run = ui.start("drill/all").ended()
    with world.esc.edited(sink_by_main):
        failed = ui.start("drill/all").ended()

    assert run.state == ("COMPLETED", "NothingYet"), run.message
    drilled = {each["target"]: each["rollback"] for each in run.table("drills")}
    assert drilled == {ADAPTER: "would work", SINK: "nothing to go back to yet"}
    assert run.table(f"candidates-{ADAPTER}")
    assert ui.events(run.id, FAILED) == []
    assert failed.state == ("FAILED", "WouldNotWork"), failed.message
    [told] = failed.events(FAILED, 1)
    assert told["resource"]["prefect.resource.id"] == f"slipway.target.{ADAPTER}"
    assert told["payload"]["why"].startswith("not-image-only: ")


def sink_by_main(text: str) -> str:
    """Another image for the sink, which a rollback of the adapter would take along."""
    return re.sub(r"(sinkImage: \S+/annotations-sink)\S*", r"\1:main", text)


def of_the_edit(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the audit says of the edited key."""
    return [each for each in rows if each["id"] == "IMG006"]


def adapter_by_main(text: str) -> str:
    """The adapter's image by the tag that moves, whichever it is by now."""
    changed = re.sub(r"(adapterImage: \S+/ls-triton-adapter)\S*", r"\1:main", text)
    assert changed != text
    return changed


def subject_of(payload: dict[str, Any]) -> str:
    """What the example makes of a finding."""
    return "{severity} {id} at {target}: {about}".format_map(payload)


@contextmanager
def notified(ui: Ui, box: Box, folder: Path) -> Iterator[list[dict[str, Any]]]:
    """The example's automation, with a webhook of our own; gives what that was told."""
    notes: list[dict[str, Any]] = []

    async def note(request: Request) -> JSONResponse:
        notes.append(await request.json())
        return JSONResponse({})

    with serving(Starlette(routes=[Route("/", note, methods=["POST"])])) as address:
        said = {"subject": "{{subject}}", "body": "{{body}}"}
        block = ui.save_block(
            "custom-webhook", "people", name="people", url=address, json_data=said
        )
        wanted = yaml.safe_load(EXAMPLE.read_text())
        wanted["actions"][0]["block_document_id"] = block
        file = folder / "automation.json"
        file.write_text(json.dumps(wanted))
        subprocess.run(
            [sys.executable, "-m", "prefect", "automation", "create", f"--from-file={file}"],
            env={**os.environ, **prefect_server.settings(box)},
            check=True,
            capture_output=True,
            timeout=300,
        )
        yield notes
