"""Reports for people: artifacts of the flow run inside one, log lines everywhere."""

import asyncio
import contextlib
import functools
import html
import logging
import re
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ParamSpec
from uuid import UUID

from slipway.domain.release import Phase, Release, State
from slipway.domain.rollout import Proof
from slipway.ports import Evidence
from slipway.tasks.policies import in_flow_run, run_address

P = ParamSpec("P")

if TYPE_CHECKING:
    from prefect.events.worker import EventsWorker

log = logging.getLogger(__name__)

_MARKS = {
    State.LIVE: "✅",
    State.RESTORED: "↩️",
    State.REFUSED: "⛔",
    State.NEEDS_ATTENTION: "🚨",
}
TOLD_WITHIN = 30.0
"""Seconds; a server that takes no events keeps no audit from its end."""
_tellers: "set[EventsWorker]" = set()
"""What sends the events told since they were last waited for: one that fails is replaced."""
_MARKUP = re.compile(r"[\\`*_\[\]|]")


def best_effort(
    report: Callable[P, Awaitable[None]],
) -> Callable[P, Coroutine[Any, Any, None]]:
    """A report that only logs when Prefect's API fails: a release never depends on it."""

    @functools.wraps(report)
    async def reported(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            await report(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - whatever a foreign API raises
            log.warning("%s failed: %s: %s", report.__name__, type(error).__name__, error)

    return reported


@best_effort
async def leave_table(key: str, rows: Sequence[Mapping[str, str]], description: str) -> None:
    """Leave rows as a table artifact of the run; nothing outside a flow run."""
    if not in_flow_run():
        return
    from prefect.artifacts import (  # noqa: PLC0415 - only a flow run pays for the import
        acreate_table_artifact,
    )

    await acreate_table_artifact(
        table=[dict(each) for each in rows], key=key, description=description
    )


@best_effort
async def tell(event: str, resource: Mapping[str, str], payload: Mapping[str, Any]) -> None:
    """Emit a Prefect event, which automations can act on; nothing outside a flow run."""
    if not in_flow_run():
        return
    from prefect.events import emit_event  # noqa: PLC0415 - likewise
    from prefect.events.worker import EventsWorker  # noqa: PLC0415 - likewise

    _tellers.add(EventsWorker.instance())
    emit_event(event, resource=dict(resource), payload=dict(payload))


async def all_told() -> bool:
    """Whether all events that this process has told are on their way to Prefect's server by now.

    It is waited for a while.
    """
    waiting = [_emptied(each) for each in _tellers]
    _tellers.clear()
    try:
        async with asyncio.timeout(TOLD_WITHIN):
            await asyncio.gather(*waiting)
    except TimeoutError:
        log.warning("Prefect's server has not taken all events within %.0f s", TOLD_WITHIN)
        return False
    return True


def _emptied(teller: "EventsWorker") -> asyncio.Future[None]:
    """Done once it has sent everything: never, where it has failed.

    Its own thread holds nobody back from their end, as one of the executor's would.
    """
    loop = asyncio.get_running_loop()
    empty: asyncio.Future[None] = loop.create_future()

    def wait() -> None:
        teller.wait_until_empty()
        with contextlib.suppress(RuntimeError):  # nobody waits any more
            loop.call_soon_threadsafe(_fulfil, empty)

    threading.Thread(target=wait, daemon=True, name="told").start()
    return empty


def _fulfil(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class Bar:
    """A progress bar that is moved behind the release's back: no step waits for Prefect's API."""

    def __init__(self, show: Callable[[float, str], Awaitable[None]]) -> None:
        """`show` tells Prefect; it is never called twice at once."""
        self._show = show
        self._wanted: tuple[float, str] | None = None
        self._moving: asyncio.Task[None] | None = None

    def move(self, progress: float, words: str) -> None:
        """Show this soon: of several, the newest."""
        self._wanted = progress, words
        if self._moving is None or self._moving.done():
            self._moving = asyncio.create_task(self._keep_up())

    async def arrived(self) -> None:
        """Wait until the newest is shown."""
        if self._moving is not None:
            await self._moving

    async def _keep_up(self) -> None:
        while self._wanted is not None:
            wanted, self._wanted = self._wanted, None
            await self._show(*wanted)


class _Artifact:
    """The bar as Prefect keeps it."""

    def __init__(self) -> None:
        self._id: UUID | None = None

    async def show(self, progress: float, words: str) -> None:
        from prefect.artifacts import (  # noqa: PLC0415 - only a flow run pays for the import
            acreate_progress_artifact,
            aupdate_progress_artifact,
        )

        try:
            if self._id is None:
                self._id = await acreate_progress_artifact(progress=progress, description=words)
            else:
                await aupdate_progress_artifact(self._id, progress=progress, description=words)
        except Exception as error:  # noqa: BLE001 - whatever a foreign API raises
            log.warning("the progress bar was not moved: %s: %s", type(error).__name__, error)


_bars: dict[str, Bar] = {}
"""Release id → its progress bar, while this process works on it."""


def show_progress(release: Release) -> None:
    """Move the run's progress bar to the release's phase; nothing outside a flow run."""
    if not in_flow_run():
        return
    phases = list(Phase)
    done = 100.0 * (phases.index(release.phase) + 1) / (len(phases) + 1)
    bar = _bars.setdefault(release.id, Bar(_Artifact().show))
    bar.move(done, f"{release.target}: {release.phase}")


@best_effort
async def report_release(
    release: Release, durations: Sequence[tuple[str, float]], proof: Proof | None
) -> None:
    """Leave the report of a release that has ended: what, before and after, why, how long."""
    if not in_flow_run():
        return
    from prefect.artifacts import acreate_markdown_artifact  # noqa: PLC0415 - likewise

    if (bar := _bars.pop(release.id, None)) is not None:
        bar.move(100.0, f"{release.target}: {release.state}")
    await acreate_markdown_artifact(
        key=f"release-{release.target}",
        markdown=release_report(release, durations, proof),
        description=f"{release.kind} at {release.target}: {release.state}",
    )
    if bar is not None:
        await bar.arrived()


@best_effort
async def report_evidence(target: str, why: str, evidence: Evidence) -> None:
    """Show what explains a failure: pods, events, the container's last lines."""
    for kind, lines in (("pod", evidence.pods), ("event", evidence.events), ("log", evidence.log)):
        for line in lines:
            log.warning("%s: %s: %s", target, kind, line)
    if not in_flow_run():
        return
    from prefect.artifacts import acreate_markdown_artifact  # noqa: PLC0415 - likewise

    await acreate_markdown_artifact(
        key=f"failure-{target}",
        markdown=evidence_report(target, why, evidence),
        description=f"why {target} was not proven",
    )


@best_effort
async def end_dead_run(release: Release) -> None:
    """End the Prefect run of a release whose process died: else it would run for ever."""
    prefect = sys.modules.get("prefect.settings")
    if not release.request.prefect_run or prefect is None or not prefect.PREFECT_API_URL.value():
        return
    from prefect.client.orchestration import get_client  # noqa: PLC0415 - likewise
    from prefect.client.schemas.objects import StateType  # noqa: PLC0415 - likewise
    from prefect.states import Cancelled, Crashed  # noqa: PLC0415 - likewise

    async with get_client() as client:
        run = await client.read_flow_run(UUID(release.request.prefect_run))
        if run.state is None or run.state.is_final():
            return
        message = f"its process ended; {_this_run()} ended release {release.id} {release.state}"
        end = Cancelled if run.state.type is StateType.CANCELLING else Crashed
        await client.set_flow_run_state(run.id, end(message=message), force=True)
        log.info("run %s of release %s is %s", run.name, release.id, end.__name__)


def _this_run() -> str:
    """Who recovers, with the address where people see it."""
    from prefect.runtime import flow_run  # noqa: PLC0415 - likewise

    if not flow_run.id:
        return "slipway recover"
    return f"recovery by run {flow_run.name} ({run_address(flow_run.id) or flow_run.id})"


def release_report(
    release: Release, durations: Sequence[tuple[str, float]], proof: Proof | None
) -> str:
    """The report as markdown; text from outside stays text."""
    parts = [
        f"# {_MARKS.get(release.state, '')} {release.kind} at {release.target}: {release.state}",
        _text(release.reason),
        _what(release),
        "\n".join(f"- {_text(note)}" for note in release.notes),
        _what_runs(proof),
        _how_long(durations),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def evidence_report(target: str, why: str, evidence: Evidence) -> str:
    """The evidence as markdown: the container's own words first, as they explain most."""
    words = "\n".join(f"    {line}" for line in evidence.log)
    pods = "\n".join(f"- {_text(line)}" for line in evidence.pods)
    events = "\n".join(f"- {_text(line)}" for line in evidence.events)
    parts = [f"# Why {target} was not proven", _text(why)]
    for title, body in (("Last log lines", words), ("Pods", pods), ("Events", events)):
        if body:
            parts.append(f"## {title}\n\n{body}")
    return "\n\n".join(parts)


def _what(release: Release) -> str:
    live = release.state is State.LIVE
    request = release.request
    rows = [
        ("asked for", f"{_text(request.wanted)} by {_text(request.requested_by)}"),
        ("why", _text(request.why)),
        ("commit", _code(release.commit)),
        ("before", _code(release.previous_digest)),
        ("after" if live else "tried", _code(release.digest)),
        ("ESC revision", _revisions(release)),
        ("Pulumi update", str(release.update_version or "")),
        ("program", _code(release.program)),
        ("journal", _code(release.journal)),
        ("allowed beside", ", ".join(_text(str(each)) for each in request.options.allow_changes)),
        ("in spite of a veto", _text(request.options.even_if_vetoed)),
    ]
    head = ("release", _code(release.id))
    return _table(head, [(name, value) for name, value in rows if value])


def _what_runs(proof: Proof | None) -> str:
    if proof is None or not proof.pods:
        return ""
    pods = [(each.name, str(each.restarts), _code(each.digest)) for each in proof.pods]
    return f"## What runs\n\n{_table(('pod, ready', 'restarts', 'proven digest'), pods)}"


def _how_long(durations: Sequence[tuple[str, float]]) -> str:
    total = sum(seconds for _, seconds in durations)
    took = [(name, f"{seconds:.1f} s") for name, seconds in (*durations, ("in all", total))]
    return f"## How long\n\n{_table(('until', 'took'), took)}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows))


def _revisions(release: Release) -> str:
    if release.esc_revision is None:
        return ""
    before = release.baseline.config_revision if release.baseline else None
    back = ", then the old value again" if release.state is State.RESTORED else ""
    return f"{before} → {release.esc_revision}{back}"


def _code(value: object) -> str:
    return f"`{value}`" if value else ""


def _text(text: str) -> str:
    """Text from outside on one line, without a meaning in HTML or markdown."""
    plain = _MARKUP.sub(r"\\\g<0>", html.escape(text, quote=False))
    return " ".join(plain.split())
