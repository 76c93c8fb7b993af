"""Pruning beside generated clusters and broken places: what is needed is never planned away."""

import asyncio
import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.deploy import release as deploy
from flows.pruning import plan
from slipway.clients.kubernetes import KubernetesCluster
from slipway.clients.kubernetes_images import WORKLOAD_LISTS
from slipway.domain.hold import NewHold
from slipway.domain.image import Digest, ImageReference
from slipway.domain.inventory import Contents
from slipway.domain.release import State
from slipway.domain.retention import Plan, Policy
from slipway.errors import AccessDenied, DeploymentUnfit, SlipwayError, Unreachable
from slipway.ports import Ports
from tests.fakes.images import FakeImage, digest_of
from tests.fakes.restrictions import EPOCH
from tests.fakes.virtual_time import run
from tests.fakes.world import World, deploy_request

LATER = EPOCH + timedelta(days=100)
NAMES = ("one", "two", "three", "four", "five", "six")
ADAPTER = "ghcr.io/acme/shop/ls-triton-adapter"
Object = dict[str, Any]


def published() -> World:
    """Old images that nothing names, each of a commit's tag."""
    world = World.seeded()
    for number, name in enumerate(NAMES):
        text = {"adapter/app.py": f"good {100 + number}"}
        world.commits[name] = world.git.commit(name, text)
        world.publish(name)
    return world


# How something in a cluster may name an image: reference and commit in, text out.
FORMS: dict[str, Callable[[FakeImage, str], str]] = {
    "tag": lambda _, tag: f"{ADAPTER}:{tag}",
    "digest": lambda image, _: f"{ADAPTER}@{image.digest}",
    "tag and digest": lambda image, tag: f"{ADAPTER}:{tag}@{image.digest}",
    "short name": lambda _, tag: f"ls-triton-adapter:{tag}",
    "without its host": lambda _, tag: f"acme/shop/ls-triton-adapter:{tag}",
    "a mirror's tag": lambda _, tag: f"mirror.local:5000/adapter:{tag}",
    "a mirror's digest": lambda image, _: f"mirror.local:5000/adapter@{image.digest}",
    "a platform's digest": lambda image, _: f"{ADAPTER}@{image.child}",
    "docker's image id": lambda image, _: f"docker-pullable://{ADAPTER}@{image.child}",
    "a configuration": lambda image, _: str(image.config),
    "a tag alone": lambda _, tag: tag,
    "a digest without its kind": lambda image, _: image.digest.value.partition(":")[2],
}
# Where in a pod's template it may stand.
PLACES: dict[str, Callable[[str], Object]] = {
    "container": lambda text: {"containers": [{"name": "side"}, {"name": "app", "image": text}]},
    "init container": lambda text: {"initContainers": [{"name": "init", "image": text}]},
    "ephemeral": lambda text: {"ephemeralContainers": [{"name": "debug", "image": text}]},
    "volume": lambda text: {"volumes": [{"name": "models", "image": {"reference": text}}]},
    "variable": lambda text: {
        "containers": [{"name": "app", "image": "x", "env": [{"name": "RUNNER", "value": text}]}]
    },
}


def nested(*path: str) -> Callable[[Object], Object]:
    def build(spec: Object) -> Object:
        for key in reversed(path):
            spec = {key: spec}
        return {"metadata": {"name": "any", "namespace": "elsewhere"}, **spec}

    return build


# By which list it is told, and where in such an object the template stands.
KINDS: dict[str, Callable[[Object], Object]] = {
    "/api/v1/pods": nested("spec"),
    "/api/v1/replicationcontrollers": nested("spec", "template", "spec"),
    "/apis/apps/v1/deployments": nested("spec", "template", "spec"),
    "/apis/apps/v1/replicasets": nested("spec", "template", "spec"),
    "/apis/apps/v1/statefulsets": nested("spec", "template", "spec"),
    "/apis/apps/v1/daemonsets": nested("spec", "template", "spec"),
    "/apis/batch/v1/jobs": nested("spec", "template", "spec"),
    "/apis/batch/v1/cronjobs": nested("spec", "jobTemplate", "spec", "template", "spec"),
    "/apis/apps/v1/controllerrevisions": nested("data", "spec", "template", "spec"),
    "/api/v1/podtemplates": nested("template", "spec"),
}
STATUSES = ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")


def running(status: str, text: str) -> Object:
    """A pod that tells what it runs; its template names a tag that has moved on since."""
    told = [{"name": "app", "image": f"{ADAPTER}:main", "imageID": text}]
    return {"metadata": {"name": "any"}, "spec": {}, "status": {status: told}}


@dataclass(frozen=True)
class Named:
    """One object that names one of the images."""

    path: str
    name: str
    make: Callable[[str], Object]
    form: str

    def build(self, world: World) -> Object:
        digest = world.digest_of(self.name)
        assert digest is not None
        image = world.registry.images[ADAPTER, digest]
        return self.make(FORMS[self.form](image, world.commits[self.name].sha))


@st.composite
def named(draw: st.DrawFn) -> Named:
    name, form = draw(st.sampled_from(NAMES)), draw(st.sampled_from(sorted(FORMS)))
    if draw(st.booleans()):
        status = draw(st.sampled_from(STATUSES))
        return Named("/api/v1/pods", name, lambda text: running(status, text), form)
    path, place = draw(st.sampled_from(sorted(KINDS))), draw(st.sampled_from(sorted(PLACES)))
    return Named(path, name, lambda text: KINDS[path](PLACES[place](text)), form)


@dataclass
class Listed(KubernetesCluster):
    """The real client on lists that a server would answer, some in parts."""

    lists: dict[str, list[Object]] = field(default_factory=dict)
    a_part: int = 1000
    answers: dict[str, tuple[int, str]] = field(default_factory=dict)
    """What is answered to a path instead."""

    def __post_init__(self) -> None:
        super().__init__()

    async def _ask(self, method: str, path: str, body: Any = None) -> tuple[int, str]:
        del body
        if path in self.answers:
            return self.answers[path]
        where, _, more = path.partition("?continue=")
        items = self.lists.get(where, [])
        start = int(more or 0)
        rest = start + self.a_part < len(items)
        told = {"continue": str(start + self.a_part)} if rest else {}
        assert method == "GET"
        return 200, json.dumps({"metadata": told, "items": items[start : start + self.a_part]})


def listing(world: World, *every: Named, a_part: int = 1000) -> Ports:
    lists: dict[str, list[Object]] = {}
    for each in every:
        lists.setdefault(each.path, []).append(each.build(world))
    return replace(world.ports(), cluster=Listed(lists=lists, a_part=a_part))


def names_in(world: World, made: Plan) -> set[str]:
    known = {commit.sha: name for name, commit in world.commits.items()}
    return {known[tag] for each in made.deletions for tag in each.tags}


def test_every_list_that_is_asked_for_has_objects_here() -> None:
    assert set(KINDS) == set(WORKLOAD_LISTS)


@given(st.lists(named(), max_size=5), st.sampled_from([1, 2, 1000]))
def test_whatever_names_an_image_wherever_in_a_cluster_keeps_it_and_nothing_else(
    every: list[Named], a_part: int
) -> None:
    async def story() -> None:
        world = published()
        ports = listing(world, *every, a_part=a_part)

        made = await plan([ports], Policy(), LATER)

        needed = {each.name for each in every}
        assert names_in(world, made) == set(NAMES) - needed
        kept = {world.digest_of(name) for name in needed}
        going = {each for some in made.deletions for each in (some.digest, *some.parts)}
        assert kept <= set(made.kept)
        assert not going & {
            part
            for image in world.registry.images.values()
            if image.digest in kept
            for part in image.accepted
        }

    run(story())


# What a person may have written around it, under any key of the environment.
VALUES: dict[str, Callable[[str], str]] = {
    "itself": lambda text: text,
    "in a list": lambda text: json.dumps(["x", [text]]),
    "in an object": lambda text: json.dumps({"lastGood": {text: 1}}),
    "in a sentence": lambda text: f"was {text}, until it broke",
    "in an address": lambda text: f"https://{text}?x=1",
    "on a line": lambda text: f"a\n- {text}\n- b",
}
WRITTEN = st.tuples(
    st.sampled_from(NAMES),
    st.sampled_from(sorted(FORMS)),
    st.sampled_from(sorted(VALUES)),
    st.sampled_from(["lastGood", "other", "sinkImage", "adapterImage"]),
    st.booleans(),
)


@given(st.lists(WRITTEN, max_size=6))
def test_whatever_an_environment_ever_named_under_any_key_is_kept_and_nothing_else(
    every: list[tuple[str, str, str, str, bool]],
) -> None:
    async def story() -> None:
        world = published()
        for name, form, value, under, taken_away in every:
            digest = world.digest_of(name)
            assert digest is not None
            text = FORMS[form](world.registry.images[ADAPTER, digest], world.commits[name].sha)
            world.config.edit("bob", **{under: VALUES[value](text)})
            if taken_away:
                world.config.edit("bob", **{under: None})

        made = await plan([listing(world)], Policy(), LATER)

        assert names_in(world, made) == set(NAMES) - {name for name, *_ in every}

    run(story())


def push_again(world: World, name: str) -> FakeImage:
    """Another index over the same layers takes the commit's tag; the first, as it was."""
    digest = world.digest_of(name)
    assert digest is not None
    first = world.registry.images[ADAPTER, digest]
    again = replace(first, digest=digest_of(f"{name} pushed again"))
    world.registry.put(ADAPTER, world.commits[name].sha, again)
    return first


def sign(world: World, image: FakeImage) -> Digest:
    signature = digest_of(f"signature of {image.digest}")
    world.registry.attached[ADAPTER, signature] = Contents(signature, subject=image.digest)
    return signature


OF_THE_FIRST = ("digest", "a mirror's digest")


@given(
    st.sets(st.sampled_from(NAMES)),
    st.dictionaries(st.sampled_from(NAMES), st.sampled_from(OF_THE_FIRST)),
    st.sampled_from(sorted(KINDS)),
)
def test_an_index_in_use_keeps_its_parts_although_its_tag_was_pushed_again(
    pushed_again: set[str], used: dict[str, str], path: str
) -> None:
    """The index that has the tag now shares its platforms, and stays for them."""

    async def story() -> None:
        world = published()
        ports = listing(world)
        assert isinstance(ports.cluster, Listed)
        kept: set[Digest] = set()
        for name, form in used.items():
            held = world.registry.held(ImageReference(ADAPTER, world.commits[name].sha))
            assert held is not None
            first = push_again(world, name) if name in pushed_again else held
            kept |= first.accepted | {sign(world, first)}
            text = FORMS[form](first, world.commits[name].sha)
            ports.cluster.lists.setdefault(path, []).append(KINDS[path](PLACES["container"](text)))
        for name in pushed_again - {*used}:
            push_again(world, name)

        made = await plan([ports], Policy(), LATER)

        assert not kept & {each for some in made.deletions for each in (some.digest, *some.parts)}
        assert names_in(world, made) == set(NAMES) - {*used}

    run(story())


@pytest.mark.parametrize("path", WORKLOAD_LISTS)
@pytest.mark.parametrize(
    ("status", "error"),
    [(401, AccessDenied), (403, AccessDenied), (404, DeploymentUnfit), (410, DeploymentUnfit)],
)
@pytest.mark.parametrize("part", ["", "?continue=1"])
async def test_a_list_that_is_refused_ends_the_planning_at_any_of_its_parts(
    path: str, status: int, error: type[SlipwayError], part: str
) -> None:
    world = published()
    ports = listing(world, *pods_on(path), a_part=1)
    assert isinstance(ports.cluster, Listed)
    ports.cluster.answers[f"{path}{part}"] = (status, "{}")

    with pytest.raises(error):
        await plan([ports], Policy(), LATER)


@pytest.mark.parametrize("body", ["{}", '{"kind": "Status"}', '{"items": null}'])
async def test_an_answer_that_is_no_list_ends_the_planning(body: str) -> None:
    world = published()
    ports = listing(world)
    assert isinstance(ports.cluster, Listed)
    ports.cluster.answers["/api/v1/pods"] = (200, body)

    with pytest.raises(DeploymentUnfit, match="no list /api/v1/pods"):
        await plan([ports], Policy(), LATER)


def pods_on(path: str) -> list[Named]:
    """Three objects of a kind, so that there are parts of its list."""
    make = PLACES["container"]
    return [Named(path, name, lambda text: KINDS[path](make(text)), "tag") for name in NAMES[:3]]


class Failing:
    """A place of which one read fails: the so-and-so-many-th that anybody makes of any place."""

    def __init__(self, place: object, counter: list[int], fails_at: int, error: Exception) -> None:
        self._place, self._counter = place, counter
        self._fails_at, self._error = fails_at, error

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._place, name)
        if not inspect.iscoroutinefunction(found):
            return found

        async def asked(*words: Any, **named: Any) -> Any:
            self._counter[0] += 1
            if self._counter[0] == self._fails_at:
                raise self._error
            return await found(*words, **named)

        return asked


PLACES_OUTSIDE = ("source", "registry", "config", "stack", "cluster", "ledger")


async def history() -> World:
    """What a plan reads all of: releases, a hold, tags that only git dates, an untagged index."""
    world = published()
    for number in range(2):
        name = f"live-{number}"
        world.commits[name] = world.git.commit(name, {"adapter/app.py": f"good {200 + number}"})
        outcome = await deploy(world.ports(), deploy_request(world.commits[name].sha))
        assert outcome.state is State.LIVE, outcome.release.reason
        await asyncio.sleep(60)
    hold = NewHold("watch it", "ada", about=world.commits["one"])
    await world.ledger.place_hold(world.target.name, hold)
    sign(world, push_again(world, "live-0"))
    return world


async def planned(
    world: World, fails_at: int, error: Exception, counter: list[int] | None = None
) -> Plan:
    ports, counter = world.ports(), counter if counter is not None else [0]
    broken: dict[str, Any] = {
        each: Failing(getattr(ports, each), counter, fails_at, error) for each in PLACES_OUTSIDE
    }
    return await plan([replace(ports, **broken)], Policy(keep_live=2), LATER)


async def reads_of(world: World) -> int:
    counter = [0]
    await planned(world, 0, Unreachable("never"), counter)
    return counter[0]


async def test_a_read_that_is_refused_ends_the_planning_whichever_of_all_it_is() -> None:
    """Not only the first of a kind: also the twentieth manifest, or git's last date."""
    world = await history()
    count = await reads_of(world)
    assert count > 30

    for number in range(1, count + 1):
        with pytest.raises(AccessDenied, match="asked by"):
            await planned(world, number, AccessDenied("no: asked by a test"))


async def test_a_read_that_blinks_is_asked_again_and_changes_no_plan() -> None:
    world = await history()
    whole = await planned(world, 0, Unreachable("never"))
    assert names_in(world, whole) == set(NAMES) - {"one"}

    for number in range(1, await reads_of(world) + 1):
        made = await planned(world, number, Unreachable("a blink: try again"))

        assert (made.hash, made.kept) == (whole.hash, whole.kept)
