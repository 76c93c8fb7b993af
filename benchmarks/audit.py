"""The audit: tags looked up, requests of an unchanged one, and many targets in one stack."""

import asyncio

import aiohttp
import httpx

from benchmarks.indices import deployed_index
from benchmarks.many_targets import COUNT, ManyTargets, findings_in
from benchmarks.publish import push_directly
from benchmarks.releasing import deployed
from benchmarks.rows import AtMost, Row
from benchmarks.samples import Sample, Series, Stopwatch, in_turns, run
from benchmarks.startup import Looks
from benchmarks.world import World
from flows.auditing import audit
from sandbox import image_registry
from slipway.clients.registry import OciRegistry
from slipway.clients.registry_http import ACCEPT
from slipway.domain.image import ImageReference
from slipway.domain.publication import REVISION_LABEL
from slipway.ports import Ports
from slipway.tasks.asking import Together
from slipway.tasks.holdings import AT_ONCE, find_tags

TAGS = 1_000
BY_SKOPEO = 40
"""Tags that skopeo looks up, one after the other; what it takes is told for all of them."""
LIKE_A_CLIENT = AtMost(1.25, "limit")
"""At least 0.8 times as fast."""
FASTER_THAN_SKOPEO = AtMost(0.05, "peer")
"""At least 20 times as fast."""
REQUESTS = AtMost(10.0)
SECONDS = AtMost(30.0)


async def measure(world: World, rounds: int) -> list[Row]:
    """Tags looked up; the world's adapter is deployed anew, so that nothing is wrong with it."""
    await make_quiet(world)
    images = Images(world)
    print(f"  {TAGS:,} images are pushed beside what runs", flush=True)
    await images.push()
    sides = {"ours": images.ours, "peer": images.skopeo, "limit": images.raw}
    return lookups(await in_turns(sides, rounds))


async def unchanged(world: World, rounds: int) -> list[Row]:
    """How often an audit of what has not changed asks, and one of many targets."""
    await make_quiet(world)
    for _ in range(2):
        await deployed_index(world)
    of_indices = await _requests(world, rounds)
    await make_quiet(world)
    requests = await _requests(world, rounds)
    print(f"  {COUNT} Deployments are made", flush=True)
    looks = Looks(world, ["--config", str(ManyTargets(world).prepare()), "audit", "--json"])
    together = await in_turns({"ours": looks.ours}, rounds)
    quiet = findings_in(looks.output)
    return [*asked(requests, of_indices), *at_once(together["ours"], looks, quiet)]


async def _requests(world: World, rounds: int) -> Series:
    images = Images(world)
    await images.requests(0)  # unmeasured: it reads what the later ones keep
    return (await in_turns({"ours": images.requests}, rounds))["ours"]


def lookups(taken: dict[str, Series]) -> list[Row]:
    """The rows of the tags."""
    return [
        Row(
            "P5",
            f"look up {TAGS:,} tags, as an audit of every tag does",
            "s",
            taken["ours"],
            None,
            taken["limit"],
            LIKE_A_CLIENT,
            note=f"limit: HEAD of each by aiohttp alone, over {AT_ONCE} connections that it keeps",
        ),
        Row(
            "P5-skopeo",
            f"look up {TAGS:,} tags, beside a loop of skopeo",
            "s",
            taken["ours"],
            taken["peer"],
            taken["limit"],
            FASTER_THAN_SKOPEO,
            note=f"peer: skopeo inspect --raw, measured on {BY_SKOPEO} tags",
        ),
    ]


def at_once(together: Series, looks: Looks, findings: int) -> list[Row]:
    """The rows of many targets."""
    told = "nothing is found" if not findings else f"{findings} findings: each is looked at twice"
    return [
        Row(
            "audit-targets",
            f"slipway audit, {COUNT} targets in one stack",
            "s",
            together,
            promise=SECONDS,
            note=f"a process of its own, its start too; no pods; {told}",
        ),
        Row("audit-memory", f"peak memory of slipway audit, {COUNT} targets", "MiB", looks.memory),
    ]


def asked(requests: Series, of_indices: Series) -> list[Row]:
    """The rows of an unchanged audit's requests."""
    what = "requests to the registry of an unchanged audit"
    return [
        Row(
            "P7",
            f"{what}, {TAGS:,} tags in its repository, which without --every-tag it does not look "
            "at",
            "requests",
            requests,
            promise=REQUESTS,
            note="without those to the token issuer",
        ),
        Row(
            "P7-index",
            f"{what}, where images are indices",
            "requests",
            of_indices,
            promise=REQUESTS,
            note="likewise; two platforms and their attestations in each",
        ),
    ]


async def make_quiet(world: World) -> None:
    """Two live deploys, the newest of the branch's head: a way back, and nothing that waits."""
    for _ in range(2):
        await deployed(world)


class Images:
    """Many images in the adapter's repository, each under its own commit's tag."""

    def __init__(self, world: World) -> None:
        self.world, self.repository = world, world.repository
        self.tags = [f"{number:040x}" for number in range(TAGS)]

    async def push(self) -> None:
        """The same layer in each; configuration and manifest are its own. The ledger knows them."""
        with self.world.registry_client(self.repository, "pull,push") as client:
            for tag in self.tags:
                push_directly(client, tag, b"x", {REVISION_LABEL: tag})
        ports = self.world.ports()
        async with Together() as together:
            found = await find_tags(ports, together, self.tags)
        for tag, digest in found.items():
            if digest is not None:
                await ports.ledger.record_published(ImageReference(self.repository, tag), digest)
        await self.world.close()

    async def ours(self, _: int) -> Sample:
        """With a token, as the limit: an audit has looked up images before it comes to the tags."""
        ports = self.world.ports()
        await ports.registry.digest(ImageReference(self.repository, self.tags[0]))
        async with Together() as together:
            watch = Stopwatch()
            found = await find_tags(ports, together, self.tags)
            sample = watch.sample()
        await self.world.close()
        if None in found.values() or len(found) != TAGS:
            raise RuntimeError(f"not every tag of {self.repository} was found")
        return sample

    async def raw(self, _: int) -> Sample:
        """One HEAD of each."""
        host, path = self.repository.split("/", 1)
        token = self.world.registry_token(self.repository, "pull")
        gate = asyncio.Semaphore(AT_ONCE)
        async with aiohttp.ClientSession(
            f"http://{host}/v2/{path}/",
            headers={"Authorization": token, "Accept": ACCEPT},
            connector=aiohttp.TCPConnector(limit=AT_ONCE),
            raise_for_status=True,
        ) as client:

            async def one(tag: str) -> None:
                async with gate, client.head(f"manifests/{tag}"):
                    pass

            watch = Stopwatch()
            await asyncio.gather(*map(one, self.tags))
            return watch.sample()

    async def requests(self, _: int) -> Sample:
        """An audit like every later one: how often it asks."""
        ports = self.world.ports()
        counting = Counting(image_registry.host(self.world.box))
        _registry(ports).session.transport = counting
        report = await audit([ports])
        await self.world.close()
        if report.findings or any(each.unjudged for each in report.targets):
            raise RuntimeError(f"the audited system is not quiet: {report}")
        if not counting.requests:
            raise RuntimeError("the audit asked a registry that nobody counted for")
        return Sample(float(counting.requests))

    async def skopeo(self, _: int) -> Sample:
        """A loop of skopeo over some of them."""
        environment = self.world.environment
        login = ["--tls-verify=false", "--authfile", f"{environment['DOCKER_CONFIG']}/config.json"]
        used = [
            run(
                ["skopeo", "inspect", "--raw", *login, f"docker://{self.repository}:{tag}"],
                environment,
            )
            for tag in self.tags[:BY_SKOPEO]
        ]
        times = TAGS / BY_SKOPEO
        cpu = sum(each.sample.cpu or 0.0 for each in used)
        return Sample(sum(each.sample.value for each in used) * times, cpu * times)


class Counting(httpx.AsyncBaseTransport):
    """Counts the requests that go to one host."""

    def __init__(self, host: str) -> None:
        self._host, self._inner = host, httpx.AsyncHTTPTransport()
        self.requests = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send it."""
        self.requests += request.url.netloc.decode() == self._host
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        """Nothing: a probe's session closes its transport, and others go on using it."""


def _registry(ports: Ports) -> OciRegistry:
    if not isinstance(ports.registry, OciRegistry):
        raise TypeError(f"{ports.registry} is not the client that is measured")
    return ports.registry
