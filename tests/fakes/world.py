"""The seed's system in memory: two services, one stack, deployed by hand before Slipway came."""

from dataclasses import dataclass, field, replace

from slipway.domain.commit import Commit
from slipway.domain.image import Digest, ImageReference
from slipway.domain.release import Kind, Options, Outcome, Request
from slipway.domain.target import ConfigKey, Service, StackName, Target, Workload
from slipway.domain.workloads import running_digest
from slipway.errors import InvalidInput
from slipway.ports import Ports, StackUpdate
from tests.fakes.code_host import FakeCodeHost
from tests.fakes.esc import FakeConfigStore, Revision
from tests.fakes.faults import Faults
from tests.fakes.git import FakeGit
from tests.fakes.images import FakeBuilder, FakeImage, FakeRegistry, make_image
from tests.fakes.kubernetes import FakeCluster, FakeDeployment
from tests.fakes.ledger import MemoryLedger
from tests.fakes.processes import FakeProcesses, Process
from tests.fakes.pulumi import FakeStack, Resource, Update
from tests.fakes.restrictions import EPOCH

HOST = "ghcr.io"
NAMES = {"adapter": "ls-triton-adapter", "sink": "annotations-sink"}


def make_target(folder: str) -> Target:
    """A target of the example, as slipway.example.toml has it."""
    name = NAMES[folder]
    return Target(
        f"{name}-prod",
        Service(name, folder, f"{HOST}/acme/shop/{name}", source="https://github.com/acme/shop"),
        ConfigKey("acme", "default", "oceanid-cluster", f"oceanid-cluster:{folder}Image"),
        StackName("acme", "oceanid-cluster", "prod"),
        Workload("apps", folder, name, port=9090),
    )


@dataclass
class World:
    """Everything outside, and the ports into it. Make one inside a running loop: `World.seeded()`.

    `commits` names the history: `first` is what runs, `second` and `third` are good.
    """

    faults: Faults = field(default_factory=Faults)
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    commits: dict[str, Commit] = field(default_factory=dict)
    processes: list[Process] = field(default_factory=list)
    """Kept, so that what dead ones were doing is never cleared away while the story runs."""
    write_back: FakeCodeHost | None = None
    """Who is told what becomes of commits."""

    def __post_init__(self) -> None:
        self.git = FakeGit(self.faults)
        self.registry = FakeRegistry(self.faults)
        self.builder = FakeBuilder(self.faults, self.git, self.registry)
        self.config = FakeConfigStore(self.faults)
        self.cluster = FakeCluster(self.faults, self.registry)
        self.targets = {each.name: each for each in map(make_target, NAMES)}
        self.resources = [self._resource(folder) for folder in NAMES]
        self.updates: list[StackUpdate] = []
        self.held_by: list[str] = []
        self.running: list[Update] = []
        self.stack_tags: dict[str, str] = {}
        self.engines: list[Update] = []
        self.cancelled_alive: list[str] = []
        self.stack = self._stack("adapterImage")

    @classmethod
    def seeded(cls, faults: Faults | None = None) -> "World":
        """The world as somebody left it by hand: tag-only values in ESC, applied, no ledger."""
        world = cls(faults or Faults())
        files = {"adapter/app.py": "good 1", "sink/app.py": "good", "cluster/Pulumi.yaml": "one"}
        world.commits["first"] = world.git.commit("Serve", files)
        world._by_hand(world.commits["first"])
        for name, text in {
            "second": "good 2",
            "third": "good 3",
            "broken": "does-not-compile",
            "crashing": "crashes",
            "stuck": "never-ready",
            "hungry": "out-of-memory",
            "sick": "sick",
            "dying": "dies-later",
        }.items():
            world.commits[name] = world.git.commit(name, {"adapter/app.py": text})
        world.commits["docs"] = world.git.commit("docs", {"adapter/README.md": "read me"})
        return world

    @property
    def target(self) -> Target:
        """The adapter's target."""
        return self.targets["ls-triton-adapter-prod"]

    @property
    def deployment(self) -> FakeDeployment:
        """The adapter's Deployment."""
        return self.resources[0].deployment

    @property
    def neighbour(self) -> FakeDeployment:
        """The sink's Deployment."""
        return self.resources[1].deployment

    def ports(self, target: str = "ls-triton-adapter-prod") -> Ports:
        """The ports of one target; every target shares the world."""
        if target not in self.targets:
            raise InvalidInput(f"no target {target}")
        key = self.targets[target].config_key.key.partition(":")[2]
        stack = self.stack if key == self.stack.own_key else self._stack(key)
        return Ports(
            self.targets[target],
            self.git,
            self.builder,
            self.registry,
            self.config,
            stack,
            self.cluster,
            self.ledger,
            FakeProcesses(self.processes, self.engines),
            self._neighbour,
            write_back=self.write_back,
        )

    async def _neighbour(self, target: str) -> Ports:
        return self.ports(target)

    def process(self, name: str) -> Process:
        """A process that can be killed and stopped; it reaches the world by `gated(ports)`."""
        self.processes.append(Process(name))
        return self.processes[-1]

    @property
    def busy(self) -> bool:
        """Whether an update holds the stack."""
        return self.stack.busy

    def change_target(self, **changes: object) -> None:
        """Change the adapter's target."""
        self.targets[self.target.name] = replace(self.target, **changes)  # type: ignore[arg-type] # tests name real fields

    @property
    def value(self) -> str | None:
        """The adapter's image in ESC."""
        return self.config.latest.values.get("adapterImage")

    def publish(self, name: str, labels: dict[str, str] | None = None) -> FakeImage:
        """Somebody's CI pushed an image for a commit."""
        commit = self.commits[name]
        text = self.git.text_of(commit, "adapter")
        built = {"org.opencontainers.image.revision": commit.sha}
        image = replace(make_image(text, built if labels is None else labels), created=EPOCH)
        self.registry.put(self.target.service.repository, commit.sha, image)
        return image

    def change_image(self, name: str, **changes: object) -> None:
        """What the registry tells of a commit's image from now on."""
        digest, repository = self.digest_of(name), self.target.service.repository
        assert digest is not None
        changed = replace(self.registry.images[repository, digest], **changes)  # type: ignore[arg-type] # tests name real fields
        self.registry.images[repository, digest] = changed

    def runs(self, deployment: FakeDeployment | None = None) -> set[Digest | None]:
        """The digests that ready pods run."""
        deployment = deployment or self.deployment
        return {
            running_digest(container.image_id)
            for pod in self.cluster._snapshot(deployment).pods
            if pod.ready and not pod.terminating
            for container in pod.containers
        }

    def digest_of(self, name: str) -> Digest | None:
        """The digest published for a commit."""
        return self.registry.tagged.get((self.target.service.repository, self.commits[name].sha))

    def _resource(self, folder: str) -> Resource:
        name = NAMES[folder]
        deployment = FakeDeployment("apps", name, folder, labels={"app": name})
        urn = f"urn:pulumi:prod::oceanid-cluster::kubernetes:apps/v1:Deployment::{name}"
        return Resource(urn, f"{folder}Image", deployment)

    def _stack(self, own_key: str) -> FakeStack:
        return FakeStack(
            self.faults,
            self.config,
            self.cluster,
            own_key,
            self.resources,
            self.updates,
            self.held_by,
            self.running,
            self.stack_tags,
            self.engines,
            self.cancelled_alive,
        )

    def _by_hand(self, commit: Commit) -> None:
        """What the README of hand-typed commands leaves."""
        values = {}
        self.cluster.add_secret("ghcr-creds", HOST, "puller", "pull-password")
        for folder, resource in zip(NAMES, self.resources, strict=True):
            repository = f"{HOST}/acme/shop/{NAMES[folder]}"
            image = make_image(self.git.text_of(commit, folder), {})
            self.registry.put(repository, commit.sha, image)
            self.registry.put(repository, "main", image)
            values[resource.key] = f"{repository}:{commit}"
            resource.recorded = values[resource.key]
            self.cluster.deployments["apps", resource.deployment.name] = resource.deployment
            self.cluster.set_image(resource.deployment, values[resource.key])
            resource.deployment.pods[0].created -= 60.0
        self.config.revisions.append(Revision(2, "ada", values))
        self.updates.append(StackUpdate(1, "update", "succeeded", "by hand", commit.sha))


def deploy_request(wanted: str, options: Options | None = None) -> Request:
    """A person's wish to deploy."""
    return Request(Kind.DEPLOY, wanted, "ada", why="it is better", options=options or Options())


def rollback_request(to: str = "previous", options: Options | None = None) -> Request:
    """A person's wish to go back."""
    return Request(Kind.ROLLBACK, to, "ada", why="it is slow", options=options or Options())


def reference_of(world: World, name: str) -> str:
    """The string that a pin of this commit writes."""
    reference = ImageReference(
        world.target.service.repository, world.commits[name].sha, world.digest_of(name)
    )
    return str(reference)


def summary(outcome: Outcome) -> str:
    """State and reason code, as people read them."""
    return f"{outcome.state}: {outcome.code}"
