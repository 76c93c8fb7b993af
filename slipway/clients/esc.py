"""The ConfigStore port on Pulumi ESC's REST API.

Routes and headers are those of Pulumi's published REST specification and of its CLI's own client
(pulumi/pulumi sdk/go/common/esc, pkg/cmd/esc), which says `ETag` where the specification says
`If-Match`: both are sent.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from slipway.clients.esc_definition import (
    has_imports,
    inserted,
    locate,
    plain_values,
    removed,
    replaced,
)
from slipway.clients.esc_evaluated import evaluated, stack_config
from slipway.clients.esc_revisions import (
    all_revisions,
    backwards,
    newest,
    path_of,
    revisions_since,
)
from slipway.clients.gathering import gathered
from slipway.clients.pulumi_api import Answer, PulumiApi
from slipway.domain.config import (
    ConfigHistory,
    ConfigRevision,
    ConfigSnapshot,
    KeyForm,
    untold,
)
from slipway.domain.image import named
from slipway.domain.target import ConfigKey
from slipway.errors import (
    ConfigConflict,
    ConfigKeyUnusable,
    ConfigMismatch,
    ConfigRejected,
    SlipwayError,
    Unreachable,
)

log = logging.getLogger(__name__)

_YAML = {"Content-Type": "application/x-yaml"}
_CONFLICT = {409, 412}
_REVISIONS_AT_ONCE = 8
FARTHEST_BACK = 100
"""Revisions in which it is looked for who has set a key: each is a request."""


@dataclass(frozen=True, slots=True)
class _Definition:
    """One revision of the environment, as the server keeps it."""

    text: str
    etag: str
    revision: int


@dataclass(frozen=True, slots=True)
class EscConfigStore:
    """One key at a time of an ESC environment, read and changed in its definition's own text."""

    api: PulumiApi

    async def read(self, key: ConfigKey) -> ConfigSnapshot:
        """The key at the environment's latest revision; `ConfigKeyUnusable` if there is none."""
        now, last = await asyncio.gather(self._read(key), newest(self.api, key))
        found = locate(now.text, key.key)
        form = found.form
        if form is KeyForm.MISSING and await self._is_inherited(key, now.text):
            form = KeyForm.INHERITED
        author = last.author if last and last.number == now.revision else ""
        return ConfigSnapshot(key, now.revision, now.etag, form, found.value, author)

    async def write(self, snapshot: ConfigSnapshot, value: str | None) -> ConfigSnapshot:
        """Replace exactly this key's value, compare-and-set, and read it back.

        An equal value is sent like any other: whoever asks for it wants the revision.
        """
        key = snapshot.key
        before = await self._read(key)
        if before.etag != snapshot.etag:
            raise await self._conflict(snapshot)
        changed = _changed(before.text, key.key, value)
        if changed != before.text:
            await self._check(key, changed)
        revision = await self._patch(snapshot, changed)
        after = await self._read_back(snapshot, revision, changed)
        found = locate(after.text, key.key)
        return ConfigSnapshot(key, revision, after.etag, found.form, found.value)

    async def history(self, key: ConfigKey) -> ConfigHistory:
        """See `slipway.ports.ConfigStore`: one request a revision or two, some at a time."""
        gate = asyncio.Semaphore(_REVISIONS_AT_ONCE)

        async def at(revision: int) -> tuple[str | None, str]:
            async with gate:
                found = await self._read(key, revision)
                return await self._told(key, found), found.text

        numbers = [each.number for each in await all_revisions(self.api, key)]
        found = await gathered(map(at, numbers))
        values = frozenset(value for value, _ in found if value)
        imported = await self._named_by_imports(key, found[0][1])
        return ConfigHistory(values, imported.union(*(named(text) for _, text in found)))

    async def revisions_since(self, key: ConfigKey, revision: int) -> Sequence[ConfigRevision]:
        """The revisions after `revision`, newest first; none where they can't be read."""
        return await revisions_since(self.api, key, revision)

    async def plain_values(self, key: ConfigKey) -> Mapping[str, str]:
        """See `slipway.ports.ConfigStore`: one request."""
        return plain_values((await self._read(key)).text)

    async def set_in(self, snapshot: ConfigSnapshot) -> ConfigRevision | None:
        """See `slipway.ports.ConfigStore`: one request a revision, from the snapshot's backwards.

        One after the other: most values are young, and what is older than them is not read.
        """
        key, found = snapshot.key, None
        if snapshot.value is None:
            return None
        async for each in backwards(self.api, key, snapshot.revision + 1):
            if snapshot.revision - each.number >= FARTHEST_BACK:
                return None
            if locate((await self._read(key, each.number)).text, key.key).value != snapshot.value:
                return found
            found = each
        return found

    async def _read(self, key: ConfigKey, revision: int | None = None) -> _Definition:
        path = path_of(key) if revision is None else f"{path_of(key)}/versions/{revision}"
        answer = await self.api.ask(path)
        if not answer.good:
            raise ConfigKeyUnusable(
                f"ESC environment {key.environment_name} can't be read ({answer.problem}): correct "
                "its name in the target, or make it"
            )
        number = answer.headers.get("pulumi-esc-revision", "")
        if not number.isdecimal() or not answer.headers.get("etag"):
            raise ConfigKeyUnusable(
                f"ESC environment {key.environment_name} came without revision or ETag, so a write "
                f"could not be guarded: check what answers at {self.api.backend}"
            )
        return _Definition(answer.text, answer.headers["etag"], int(number))

    async def _told(self, key: ConfigKey, at: _Definition) -> str | None:
        """What the key was at a revision: as it stands there, else as ESC evaluates it now."""
        found = locate(at.text, key.key)
        absent = found.form is KeyForm.MISSING and not has_imports(at.text)
        if absent or found.form in {KeyForm.PLAIN, KeyForm.EMPTY}:
            return found.value
        told = evaluated(await self._ask_check(key, at.text), key.key)
        if told is None:
            form = KeyForm.INHERITED if found.form is KeyForm.MISSING else found.form
            raise untold(key, at.revision, form)
        return told

    async def _named_by_imports(self, key: ConfigKey, newest: str) -> frozenset[str]:
        """What imported environments name today; of their own histories nothing is asked."""
        if not has_imports(newest):
            return frozenset()
        answer = await self._ask_check(key, newest)
        if not answer.good:
            raise ConfigKeyUnusable(
                f"what ESC environment {key.environment_name} imports can't be told "
                f"({answer.problem}), so the images that it names could not be kept: mend the "
                "definition with `pulumi env edit`"
            )
        return named(answer.text)

    async def _read_back(self, before: ConfigSnapshot, revision: int, text: str) -> _Definition:
        """What was written; from here on no error may say that nothing was."""
        key = before.key
        try:
            after = await self._read(key, revision)
        except SlipwayError as error:
            raise ConfigMismatch(
                f"ESC key {key} was written as revision {revision}, which can't be read back "
                f"({error}): look at the environment's history before anybody applies it"
            ) from error
        if after.text != text:
            raise ConfigMismatch(
                f"ESC environment {key.environment_name} reads back differently at revision "
                f"{revision} than it was written for {key.key}: compare it with revision "
                f"{before.revision}, and set the key by hand"
            )
        return after

    async def _is_inherited(self, key: ConfigKey, text: str) -> bool:
        """Whether an imported environment sets the key; the check decrypts nothing."""
        if not has_imports(text):
            return False
        answer = await self._ask_check(key, text)
        return key.key in (stack_config(answer) or {})

    async def _check(self, key: ConfigKey, text: str) -> None:
        answer = await self._ask_check(key, text)
        _require_accepted(key, answer)

    async def _ask_check(self, key: ConfigKey, text: str) -> Answer:
        path = f"/api/esc/environments/{key.organization}/yaml/check?showSecrets=false"
        return await self.api.ask(path, method="POST", content=text, headers=_YAML)

    async def _patch(self, snapshot: ConfigSnapshot, text: str) -> int:
        """Send the definition once; the revision that holds it."""
        key, etag = snapshot.key, snapshot.etag
        headers = {**_YAML, "ETag": etag, "If-Match": etag}
        try:
            answer = await self.api.send("PATCH", path_of(key), content=text, headers=headers)
        except Unreachable as error:
            log.warning("%s: looking whether it was written", error)
            return await self._look_up(snapshot, text, error)
        if answer.status in _CONFLICT:
            raise await self._conflict(snapshot)
        _require_accepted(key, answer)
        number = answer.headers.get("pulumi-esc-revision", "")
        return int(number) if number.isdecimal() else snapshot.revision + 1

    async def _look_up(self, snapshot: ConfigSnapshot, text: str, lost: Unreachable) -> int:
        """After a lost answer: compare-and-set allows ours only as the very next revision."""
        mine = snapshot.revision + 1
        try:
            now = await self._read(snapshot.key)
            written = now if now.etag == snapshot.etag else await self._read(snapshot.key, mine)
        except SlipwayError as error:
            raise Unreachable(
                f"whether ESC key {snapshot.key} was written is not known ({lost}; then {error}): "
                "look at the environment's history"
            ) from error
        if written.etag == snapshot.etag:
            raise Unreachable(
                f"ESC key {snapshot.key} was not written, revision {now.revision} stands ({lost}): "
                "try again when ESC answers"
            ) from lost
        if written.text != text:
            raise await self._conflict(snapshot) from lost
        log.info("ESC key %s was written as revision %d after all", snapshot.key, mine)
        return mine

    async def _conflict(self, snapshot: ConfigSnapshot) -> SlipwayError:
        try:
            since = await self.revisions_since(snapshot.key, snapshot.revision)
        except SlipwayError as error:
            log.info("who changed the environment could not be asked: %s", error)
            since = []
        listed = ", ".join(str(each) for each in since[:5]) or "a newer revision"
        return ConfigConflict(
            f"ESC environment {snapshot.key.environment_name} changed since revision "
            f"{snapshot.revision}, which {snapshot.key.key} was decided on: {listed}; nothing was "
            "written; look at that change, and start a new run"
        )


def _changed(text: str, key: str, value: str | None) -> str:
    form = locate(text, key).form
    if value is None:
        return removed(text, key) if form is KeyForm.PLAIN else text
    return inserted(text, key, value) if form is KeyForm.MISSING else replaced(text, key, value)


def _require_accepted(key: ConfigKey, answer: Answer) -> None:
    """Refuse what ESC refuses, also where it says so in the body of a good answer."""
    diagnostics = [each for each in answer.json().get("diagnostics") or [] if _is_error(each)]
    if answer.good and not diagnostics:
        return
    said = "; ".join(_sentence(each) for each in diagnostics[:3]) or answer.problem
    raise ConfigRejected(
        f"ESC refuses environment {key.environment_name} with {key.key} changed: {said}; nothing "
        "was written; mend the definition with `pulumi env edit`"
    )


def _is_error(diagnostic: Any) -> bool:
    """An empty severity is an error too (esc apitype.EnvironmentDiagnostic)."""
    return isinstance(diagnostic, dict) and diagnostic.get("severity") != "warning"


def _sentence(diagnostic: dict[str, Any]) -> str:
    line = _at(diagnostic, "range", "begin", "line")
    where = f"line {line}: " if line else ""
    return f"{where}{diagnostic.get('summary', '')}"[:200]


def _at(value: Any, *path: str) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value
