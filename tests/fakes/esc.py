"""A Pulumi ESC environment in memory: revisions, ETags, and everything else in the definition."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from slipway.domain.config import ConfigHistory, ConfigRevision, ConfigSnapshot, KeyForm, untold
from slipway.domain.image import named
from slipway.domain.target import ConfigKey
from slipway.errors import ConfigConflict
from tests.fakes.faults import Faults


@dataclass(frozen=True)
class Revision:
    """One immutable revision: the plain values, and the keys that stand there in another form."""

    number: int
    author: str
    values: dict[str, str]
    forms: dict[str, KeyForm] = field(default_factory=dict)


@dataclass
class FakeConfigStore:
    """The `ConfigStore` port for one environment."""

    faults: Faults
    revisions: list[Revision] = field(default_factory=lambda: [Revision(1, "setup", {})])
    account: str = "slipway"

    @property
    def latest(self) -> Revision:
        return self.revisions[-1]

    def edit(self, author: str, **changes: str | KeyForm | None) -> None:
        """Somebody else's change: a value, a form, or None to delete the key."""
        values, forms = dict(self.latest.values), dict(self.latest.forms)
        for name, change in changes.items():
            values.pop(name, None)
            forms.pop(name, None)
            if isinstance(change, KeyForm):
                forms[name] = change
            elif change is not None:
                values[name] = change
        self._append(author, values, forms)

    def at(self, number: int) -> Revision:
        """One revision."""
        return self.revisions[number - 1]

    async def read(self, key: ConfigKey) -> ConfigSnapshot:
        await self.faults.at("before", "config.read")
        name = _name(key)
        form = self.latest.forms.get(name)
        value = self.latest.values.get(name)
        if form is None:
            form = KeyForm.MISSING if value is None else KeyForm.PLAIN if value else KeyForm.EMPTY
        number = self.latest.number
        return ConfigSnapshot(
            key,
            number,
            f"etag-{number}",
            form,
            value if form is KeyForm.PLAIN else None,
            self.latest.author,
        )

    async def write(self, snapshot: ConfigSnapshot, value: str | None) -> ConfigSnapshot:
        await self.faults.at("before", "config.write")
        if snapshot.etag != f"etag-{self.latest.number}":
            raise ConfigConflict(
                f"{snapshot.key} changed: revision {self.latest.number} by {self.latest.author}"
            )
        values = dict(self.latest.values)
        if value is None:
            values.pop(_name(snapshot.key), None)
        else:
            values[_name(snapshot.key)] = value
        self._append(self.account, values, dict(self.latest.forms))
        await self.faults.at("after", "config.write")
        number = self.latest.number
        form = KeyForm.MISSING if value is None else KeyForm.PLAIN
        return replace(
            snapshot,
            revision=number,
            etag=f"etag-{number}",
            value=value,
            form=form,
            author=self.account,
        )

    async def history(self, key: ConfigKey) -> ConfigHistory:
        await self.faults.at("before", "config.history")
        name = _name(key)
        for each in self.revisions:
            if each.forms.get(name, KeyForm.EMPTY) is not KeyForm.EMPTY:
                raise untold(key, each.number, each.forms[name])
        values = (each.values.get(name) for each in self.revisions)
        told = " ".join(text for each in self.revisions for text in each.values.values())
        return ConfigHistory(frozenset(each for each in values if each), named(told))

    async def revisions_since(self, key: ConfigKey, revision: int) -> Sequence[ConfigRevision]:
        del key
        return [
            ConfigRevision(each.number, each.author, "2026-01-01")
            for each in reversed(self.revisions)
            if each.number > revision
        ]

    async def plain_values(self, key: ConfigKey) -> Mapping[str, str]:
        await self.faults.at("before", "config.plain_values")
        namespace = key.key.partition(":")[0]
        return {
            f"{namespace}:{name}": value
            for name, value in self.latest.values.items()
            if value and name not in self.latest.forms
        }

    async def set_in(self, snapshot: ConfigSnapshot) -> ConfigRevision | None:
        await self.faults.at("before", "config.set_in")
        name, found = _name(snapshot.key), None
        for each in reversed(self.revisions[: snapshot.revision]):
            if snapshot.revision - each.number >= 100:
                return None
            if snapshot.value is None or each.values.get(name) != snapshot.value:
                return found
            found = ConfigRevision(each.number, each.author, "2026-01-01")
        return found

    def _append(self, author: str, values: dict[str, str], forms: dict[str, KeyForm]) -> None:
        self.revisions.append(Revision(self.latest.number + 1, author, values, forms))


def _name(key: ConfigKey) -> str:
    return key.key.partition(":")[2]
