"""What every ConfigStore promises: the one in memory and the one on Pulumi ESC."""

from pathlib import Path
from typing import Protocol

import pytest

from slipway.domain.config import KeyForm
from slipway.domain.target import ConfigKey
from slipway.errors import ConfigConflict, ConfigKeyUnusable
from slipway.ports import ConfigStore
from tests.clients.cloud import CloudHere, key
from tests.fakes.esc import FakeConfigStore
from tests.fakes.faults import Faults

FORMS = {
    KeyForm.EMPTY: "",
    KeyForm.SECRET: "{fn::secret: hush}",
    KeyForm.INTERPOLATED: "${name}",
    KeyForm.NOT_TEXT: "12",
}


class Environment(Protocol):
    """An environment that somebody else edits too."""

    store: ConfigStore

    async def edit(self, **values: str | KeyForm) -> None: ...


class InMemory:
    def __init__(self) -> None:
        self.fake = FakeConfigStore(Faults())
        self.store: ConfigStore = self.fake

    async def edit(self, **values: str | KeyForm) -> None:
        self.fake.edit("operator", **values)


class OnEsc:
    def __init__(self, folder: Path) -> None:
        self.cloud = CloudHere(folder)
        self.store: ConfigStore = self.cloud.store()
        self.values: dict[str, str | KeyForm] = {}

    async def edit(self, **values: str | KeyForm) -> None:
        self.values |= values
        lines = [
            f"    cluster:{name}: {FORMS[value] if isinstance(value, KeyForm) else value}\n"
            for name, value in self.values.items()
        ]
        await self.cloud.define("values:\n  name: x\n  pulumiConfig:\n" + "".join(lines))


@pytest.fixture(params=["memory", "esc"])
async def environment(request: pytest.FixtureRequest, tmp_path: Path) -> Environment:
    made: Environment = InMemory() if request.param == "memory" else OnEsc(tmp_path)
    await made.edit(adapterImage="ghcr.io/acme/adapter:1", sinkImage="ghcr.io/acme/sink:1")
    return made


async def value_of(environment: Environment, which: ConfigKey) -> str | None:
    return (await environment.store.read(which)).value


async def test_every_value_that_the_key_ever_had_is_told(environment: Environment) -> None:
    for value in ("ghcr.io/acme/adapter:2", KeyForm.EMPTY, "ghcr.io/acme/adapter:3"):
        await environment.edit(adapterImage=value)

    found = (await environment.store.history(key())).values

    assert found == {f"ghcr.io/acme/adapter:{number}" for number in (1, 2, 3)}


async def test_what_other_keys_ever_named_is_told_by_digest_and_commit(
    environment: Environment,
) -> None:
    commit, digest = "5" * 40, f"sha256:{'e' * 64}"
    await environment.edit(sinkImage=f"ghcr.io/acme/sink:{commit}")
    await environment.edit(sinkImage=f"ghcr.io/acme/sink@{digest}")
    await environment.edit(sinkImage=KeyForm.SECRET)

    found = await environment.store.history(key())

    assert found.names == {commit, digest}


async def test_a_value_that_was_secret_once_is_not_taken_for_none(environment: Environment) -> None:
    await environment.edit(adapterImage=KeyForm.SECRET)
    await environment.edit(adapterImage="ghcr.io/acme/adapter:2")

    with pytest.raises(ConfigKeyUnusable, match="secret at revision"):
        await environment.store.history(key())


async def test_what_is_written_is_read(environment: Environment) -> None:
    before = await environment.store.read(key())

    written = await environment.store.write(before, "ghcr.io/acme/adapter:2")

    now = await environment.store.read(key())
    assert (before.form, before.value) == (KeyForm.PLAIN, "ghcr.io/acme/adapter:1")
    assert (now.form, now.value) == (KeyForm.PLAIN, "ghcr.io/acme/adapter:2")
    assert (now.revision, now.etag) == (written.revision, written.etag)
    assert now.revision == before.revision + 1
    assert now.author == "slipway"


async def test_a_write_leaves_the_other_keys(environment: Environment) -> None:
    await environment.store.write(await environment.store.read(key()), "ghcr.io/acme/adapter:2")

    assert await value_of(environment, key("sinkImage")) == "ghcr.io/acme/sink:1"


async def test_a_write_over_somebody_elses_change_is_refused(environment: Environment) -> None:
    before = await environment.store.read(key())
    await environment.edit(sinkImage="ghcr.io/acme/sink:2")

    with pytest.raises(ConfigConflict, match="by operator"):
        await environment.store.write(before, "ghcr.io/acme/adapter:2")

    assert await value_of(environment, key()) == "ghcr.io/acme/adapter:1"


async def test_what_a_write_gives_can_be_written_over(environment: Environment) -> None:
    first = await environment.store.write(await environment.store.read(key()), "acme/adapter:2")

    await environment.store.write(first, "ghcr.io/acme/adapter:3")

    assert await value_of(environment, key()) == "ghcr.io/acme/adapter:3"


@pytest.mark.parametrize("name", ["adapterImage", "newImage"])
async def test_an_equal_value_makes_the_etag_of_a_late_write_stale(
    environment: Environment, name: str
) -> None:
    """A key that is there, and one that is not: absence is written over absence."""
    before = await environment.store.read(key(name))

    again = await environment.store.write(before, before.value)

    assert again.revision == before.revision + 1
    assert await value_of(environment, key(name)) == before.value
    with pytest.raises(ConfigConflict):
        await environment.store.write(before, "ghcr.io/acme/adapter:2")


async def test_a_key_is_put_in_and_taken_out_again(environment: Environment) -> None:
    before = await environment.store.read(key("newImage"))
    assert (before.form, before.value) == (KeyForm.MISSING, None)

    put_in = await environment.store.write(before, "ghcr.io/acme/new:1")
    assert await value_of(environment, key("newImage")) == "ghcr.io/acme/new:1"
    taken_out = await environment.store.write(put_in, None)

    assert taken_out.form is KeyForm.MISSING
    assert (await environment.store.read(key("newImage"))).form is KeyForm.MISSING
    assert await value_of(environment, key()) == "ghcr.io/acme/adapter:1"


@pytest.mark.parametrize("form", FORMS)
async def test_a_key_in_another_form_has_no_value(environment: Environment, form: KeyForm) -> None:
    await environment.edit(adapterImage=form)

    found = await environment.store.read(key())

    assert (found.form, found.value) == (form, None)


async def test_revisions_are_told_newest_first_with_their_authors(environment: Environment) -> None:
    before = await environment.store.read(key())
    await environment.edit(sinkImage="ghcr.io/acme/sink:2")
    now = await environment.store.read(key())
    written = await environment.store.write(now, "ghcr.io/acme/adapter:2")

    since = await environment.store.revisions_since(key(), before.revision)

    assert [(each.number, each.author) for each in since] == [
        (before.revision + 2, "slipway"),
        (before.revision + 1, "operator"),
    ]
    assert await environment.store.revisions_since(key(), written.revision) == []


async def test_plain_values_are_told_by_their_keys_and_no_others(
    environment: Environment,
) -> None:
    for number, form in enumerate(FORMS):
        await environment.edit(**{f"other{number}": form})
    await environment.edit(adapterImage="ghcr.io/acme/adapter:2")

    assert await environment.store.plain_values(key("anything")) == {
        "cluster:adapterImage": "ghcr.io/acme/adapter:2",
        "cluster:sinkImage": "ghcr.io/acme/sink:1",
    }


async def test_who_gave_a_key_its_value_is_told_whoever_has_written_others_since(
    environment: Environment,
) -> None:
    before = await environment.store.read(key())
    set_it = await environment.store.write(before, "ghcr.io/acme/adapter:2")
    await environment.edit(adapterImage="ghcr.io/acme/adapter:2", sinkImage="ghcr.io/acme/sink:2")
    now = await environment.store.read(key())

    found = await environment.store.set_in(now)

    assert now.author == "operator"
    assert found is not None
    assert (found.number, found.author) == (set_it.revision, "slipway")


async def test_a_value_that_came_back_was_given_by_who_brought_it_back(
    environment: Environment,
) -> None:
    await environment.edit(adapterImage="ghcr.io/acme/adapter:2")
    other = await environment.store.read(key())
    await environment.store.write(other, "ghcr.io/acme/adapter:1")

    found = await environment.store.set_in(await environment.store.read(key()))

    assert found is not None
    assert (found.number, found.author) == (other.revision + 1, "slipway")


async def test_who_gave_a_key_its_value_is_told_as_of_the_snapshot(
    environment: Environment,
) -> None:
    first = await environment.store.read(key())
    await environment.edit(adapterImage="ghcr.io/acme/adapter:2")

    found = await environment.store.set_in(first)

    assert found is not None
    assert found.number <= first.revision


@pytest.mark.parametrize("form", FORMS)
async def test_nobody_gave_a_key_text_that_has_none(
    environment: Environment, form: KeyForm
) -> None:
    await environment.edit(adapterImage=form)

    assert await environment.store.set_in(await environment.store.read(key())) is None
