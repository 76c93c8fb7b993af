"""The Stack port: the pulumi CLI for what changes, Pulumi Cloud's REST API for what is asked.

Why not through Pulumi's Automation API: docs/decisions/pulumi-cli-not-automation-api.md.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

from slipway.clients import command, pulumi_tags
from slipway.clients.processes import identity_of
from slipway.clients.pulumi_api import PulumiApi
from slipway.clients.pulumi_cli import (
    PulumiCli,
    Scratch,
    inherited,
    is_busy,
    last_lines,
    scratch,
    words,
)
from slipway.clients.pulumi_events import EventLog, parse_event_log
from slipway.clients.pulumi_files import StackFile, mentions, read_stack_file
from slipway.clients.pulumi_state import count_pending, parse_deployments, parse_history
from slipway.clients.supervise import Supervised, supervise
from slipway.domain.change import Preview
from slipway.domain.redaction import redacted
from slipway.domain.target import ConfigKey, Target
from slipway.errors import ApplyFailed, PreviewFailed, SlipwayError, StackBusy, StackUnusable
from slipway.ports import (
    IN_PROGRESS,
    Applied,
    ProgramRevision,
    StackState,
    StackUpdate,
    Started,
    unheard,
)

log = logging.getLogger(__name__)

PREVIEW_WITHIN = 300.0
REFRESH_WITHIN = 300.0
PREPARE_WITHIN = 900.0
_RECENT = 10
"""Updates of the history among which ours is looked for."""


@dataclass(slots=True)
class PulumiStack:
    """One target's stack."""

    target: Target
    cli: PulumiCli
    _cli_is_good: bool = field(default=False, repr=False)

    @property
    def api(self) -> PulumiApi:
        """The account that holds the stack."""
        return self.cli.api

    async def check(self) -> None:
        """`StackUnusable` or `AccessDenied` unless CLI, token and stack can be used."""
        if not self._cli_is_good:
            await self.cli.require_version()
            self._cli_is_good = True
        await self._ask("")

    async def state(self) -> StackState:
        """What Pulumi believes now; three requests, no CLI."""
        stack, history, export = await asyncio.gather(
            self._ask(""), self._history(1), self._ask("/export")
        )
        return StackState(
            last_update=history[0] if history else None,
            busy=_is_held(stack),
            deployments=parse_deployments(export),
            pending_operations=count_pending(export),
        )

    async def history(self, limit: int) -> Sequence[StackUpdate]:
        """The stack's newest updates, newest first; one request."""
        return await self._history(limit)

    async def claim(self, ledger: str, instead_of: str = "") -> str:
        """Let the stack name our ledger where it names none, or `instead_of`."""
        return await pulumi_tags.claim(self.api, self.target.stack, ledger, instead_of)

    async def ledger(self) -> str:
        """The ledger that the stack names; empty when it names none."""
        return await pulumi_tags.ledger_of(self.api, self.target.stack)

    async def shadow(self, tree: Path, key: ConfigKey) -> str | None:
        """The value that the checkout's stack file sets for the key."""
        file = self._stack_file(tree)
        file.spelling(key)
        return file.shadow(key)

    async def mentions(self, tree: Path, key: ConfigKey) -> bool:
        """See `slipway.ports.Stack`."""
        return await asyncio.to_thread(mentions, tree, key)

    async def prepare(self, tree: Path) -> None:
        """Run the target's command in the checkout, with a home of its own and no credentials."""
        if not self.target.prepare:
            return
        with TemporaryDirectory(prefix="slipway-home-") as home:
            done = await command.run(
                self.target.prepare,
                env={**inherited(), "HOME": home},
                within=PREPARE_WITHIN,
                cwd=tree,
            )
        if done.code:
            said = done.complaint or done.stdout.decode("utf-8", "replace")[-400:]
            raise StackUnusable(
                f"{' '.join(self.target.prepare)[:100]} ended with {done.code} in the checkout: "
                f"{self._safe(said.strip())}; mend the program, or correct the target's prepare"
            )

    async def preview(self, program: ProgramRevision) -> Preview:
        """What an update would change; the value, if any, stands in a copy of the stack file."""
        file = self._stack_file(program.tree)
        with scratch() as where:
            more: tuple[str, ...] = ()
            if program.value is not None:
                copy = where.folder / file.path.name
                copy.write_text(file.with_value(self.target.config_key, program.value))
                more = ("--config-file", str(copy))
            done = await command.run(
                self._words("preview", where, program, *more),
                env=self._environment(where, file, program),
                within=PREVIEW_WITHIN,
                cwd=file.path.parent,
            )
            events = parse_event_log(where.event_lines())
        if done.code:
            why = last_lines(events.errors, done.complaint, _text(done.stdout))
            raise PreviewFailed(
                f"pulumi preview of stack {self.target.stack} at commit {program.commit.short} "
                f"and ESC revision {program.config_revision} failed: {self._safe(why)}; mend the "
                "program or the ESC environment, and start a new run"
            )
        return events.preview

    async def up(
        self,
        program: ProgramRevision,
        message: str,
        stop: asyncio.Event,
        started: Started = unheard,
    ) -> Applied:
        """Apply; ends only when the update has ended, interrupted once where it must be."""
        call = _Call("up", message, stop, self.target.apply_within, started)
        done, events = await self._change(program, call)
        update = await self._find_ours(message, "update")
        succeeded = done.code == 0 if update is None else update.result == "succeeded"
        version = update.version if update else None
        why = "" if succeeded else self._why(done, events)
        return Applied(succeeded, events.preview, version, why)

    async def refresh(
        self, program: ProgramRevision, message: str, started: Started = unheard
    ) -> None:
        """Read one resource back into the stack's state; supervised like an update."""
        call = _Call("refresh", message, asyncio.Event(), REFRESH_WITHIN, started)
        done, events = await self._change(program, call)
        if done.code:
            raise ApplyFailed(
                f"pulumi refresh of {program.only or self.target.stack} failed: "
                f"{self._why(done, events)}; mend what it names, then slipway recover"
            )

    async def cancel(self, message: str) -> bool:
        """Let go of the stack for the update of this message, which must be dead."""
        path = f"/api/stacks/{self.target.stack}"
        before = await self._ask("")
        newest = next(iter(await self._history(1)), None)
        after = await self._ask("")
        held = [str(each.get("activeUpdate")) for each in (before, after) if _is_held(each)]
        # Versions are given when updates begin: the newest is the one that has held the stack
        # both before and after it was asked for.
        is_ours = newest is not None and (newest.message, newest.result) == (message, IN_PROGRESS)
        if not is_ours or len(held) < len((before, after)) or held[0] != held[1]:
            return False
        # By its id, so that an update that begins meanwhile is not meant; any kind goes by this.
        answer = await self.api.send("POST", f"{path}/update/{quote(held[0], safe='')}/cancel")
        if not answer.good:
            raise StackUnusable(
                f"the dead update {held[0]} of stack {self.target.stack} can't be cancelled "
                f"({answer.problem}): wait until its lease has run out, or run `pulumi cancel`"
            )
        return True

    async def _change(self, program: ProgramRevision, call: "_Call") -> tuple[Supervised, EventLog]:
        file = self._stack_file(program.tree)
        with scratch() as where:
            more = ("--yes", "--skip-preview", "--message", call.message)
            done = await supervise(
                self._words(call.verb, where, program, *more),
                env=self._environment(where, file, program),
                cwd=file.path.parent,
                within=call.within,
                stop=call.stop,
                listener=self._log_line,
                started=call.tell,
            )
            events = parse_event_log(where.event_lines())
        if done.code and not events.preview.changes and is_busy(done.stderr + done.stdout):
            raise StackBusy(
                f"stack {self.target.stack} is held by another update: nothing was applied; look "
                "at it with `pulumi stack history`, and try again when it has ended"
            )
        return done, events

    async def _find_ours(self, message: str, kind: str) -> StackUpdate | None:
        """Our update in the history, by its message; None when it can't be asked or found."""
        try:
            history = await self._history(_RECENT)
        except SlipwayError as error:
            log.warning("the stack's history could not be asked: %s", error)
            return None
        ours = (each for each in history if (each.message, each.kind) == (message, kind))
        return next(ours, None)

    async def _history(self, count: int) -> tuple[StackUpdate, ...]:
        return parse_history(await self._ask(f"/updates?pageSize={count}&page=1"))

    async def _ask(self, path: str) -> dict[str, Any]:
        stack = self.target.stack
        answer = await self.api.ask(f"/api/stacks/{stack}{path}")
        told = answer.json()
        if not answer.good or not (told or answer.text.strip() == "{}"):
            raise StackUnusable(
                f"stack {stack} can't be asked ({answer.problem}): correct the target's stack, or "
                f"make it with `pulumi stack init {stack}`"
            )
        return told

    def _stack_file(self, tree: Path) -> StackFile:
        return read_stack_file(tree / self.target.program, self.target.stack.stack)

    def _words(self, verb: str, where: Scratch, program: ProgramRevision, *more: str) -> list[str]:
        return words(self.cli.program, verb, self.target.stack, where, *more, only=program.only)

    def _environment(
        self, where: Scratch, file: StackFile, program: ProgramRevision
    ) -> dict[str, str]:
        key = self.target.config_key
        pinned = f"{key.project}/{key.environment}@{program.config_revision}"
        override = f"{file.spelling(key)}={pinned}"
        return self.cli.environment_for(where, PULUMI_OPTION_OVERRIDE_ENV=override)

    def _why(self, done: Supervised, events: EventLog) -> str:
        said = self._safe(last_lines(events.errors, done.stderr, done.stdout))
        return f"interrupted, because {done.interrupted}: {said}" if done.interrupted else said

    def _log_line(self, line: str) -> None:
        if line.strip():
            log.info("pulumi: %s", self._safe(line))

    def _safe(self, text: str) -> str:
        """The text without our token, should a plugin ever print its environment, and others'."""
        return redacted(text.replace(self.api.token.get_secret_value(), "[token]"))


@dataclass(frozen=True, slots=True)
class _Call:
    """One change of a stack: what is done, and how it is watched."""

    verb: str
    message: str
    stop: asyncio.Event
    within: float
    started: Started

    def tell(self, pid: int) -> None:
        """Say which process does it, where that can be told."""
        if (identity := identity_of(pid)) is not None:
            self.started(identity)


def _is_held(stack: Mapping[str, Any]) -> bool:
    # `activeUpdate` names the last update for ever, also one that has ended.
    return bool(stack.get("currentOperation"))


def _text(output: bytes) -> str:
    return output.decode("utf-8", "replace")
