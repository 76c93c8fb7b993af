"""Services and targets: what is built from where, and where it must run."""

import re
from dataclasses import dataclass, field
from typing import Self

from slipway.domain.commit import Commit
from slipway.errors import InvalidInput

_ALLOWANCE = re.compile(
    r"(?P<urn>urn:\S+?::.*[^:]):(?P<path>[^:\[\]]+?(?:\[[^\]]*\][^:\[\]]*?)*)(?:@(?P<mark>[0-9a-f]{12}))?"
)


@dataclass(frozen=True, slots=True)
class Service:
    """A folder of a repository that becomes one image."""

    name: str
    folder: str
    repository: str
    """The image repository, with the registry's host: `ghcr.io/acme/shop/adapter`."""
    context: str = ""
    """The build context; empty means the folder. `.` is the whole repository."""
    dockerfile: str = ""
    """Relative to the repository's root; empty means `Dockerfile` in the folder."""
    platform: str = "linux/amd64"
    build_arguments: tuple[tuple[str, str], ...] = ()
    source: str = ""
    """The repository's address for the image's source label; empty writes none."""
    signed_by: str = ""
    """Public key (PEM) of who signs the image with cosign; empty asks for no signature."""

    @property
    def context_path(self) -> str:
        """The build context, relative to the repository's root."""
        return self.context or self.folder

    @property
    def dockerfile_path(self) -> str:
        """The Dockerfile, relative to the repository's root."""
        return self.dockerfile or f"{self.folder}/Dockerfile"


@dataclass(frozen=True, slots=True)
class StackName:
    """A Pulumi stack, fully named."""

    organization: str
    project: str
    stack: str

    def __str__(self) -> str:
        return f"{self.organization}/{self.project}/{self.stack}"

    @property
    def deployment(self) -> str:
        """The name of the Prefect deployment that recovers it.

        Prefect refuses a slash, and Pulumi a colon in any of the three: no two stacks share a name.
        """
        return f"{self.organization}:{self.project}:{self.stack}"


@dataclass(frozen=True, slots=True)
class ConfigKey:
    """One key of `pulumiConfig` in one Pulumi ESC environment."""

    organization: str
    project: str
    environment: str
    key: str
    """With its namespace: `oceanid-cluster:adapterImage`."""

    @property
    def environment_name(self) -> str:
        """The environment, fully named."""
        return f"{self.organization}/{self.project}/{self.environment}"

    def __str__(self) -> str:
        return f"{self.environment_name} pulumiConfig.{self.key}"


@dataclass(frozen=True, slots=True)
class Workload:
    """A Kubernetes Deployment, by its name or by labels that fit exactly one, and its container."""

    namespace: str
    container: str
    name: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    port: int = 8080
    health_path: str = "/health"
    """Empty means that readiness is the only health there is."""

    def __str__(self) -> str:
        selector = self.name or ",".join(f"{key}={value}" for key, value in self.labels)
        return f"Deployment {self.namespace}/{selector}"


@dataclass(frozen=True, slots=True)
class Allowance:
    """A change beside the image that a person has allowed: exact, never a blanket.

    With its mark it is one change of one preview: operation, kind, old and new value. Without one
    (a target's) it stands for plain updates of one property, whatever the value.
    """

    urn: str
    path: str
    mark: str = ""

    def __str__(self) -> str:
        return f"{self.urn}:{self.path}{'@' if self.mark else ''}{self.mark}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `URN:path@mark`; a path may hold colons inside brackets only."""
        found = _ALLOWANCE.fullmatch(text)
        if found is None or not found["mark"]:
            raise InvalidInput(
                f"{text[:200]!r} is not a change that can be allowed: give URN:path@mark as the "
                "refusal printed it, whose mark binds it to exactly the change that was shown"
            )
        return cls(found["urn"], found["path"], found["mark"])

    @classmethod
    def parse_standing(cls, text: str) -> Self:
        """Read a target's `URN:path`."""
        found = _ALLOWANCE.fullmatch(text)
        if found is None or found["mark"] or found["path"] == "*":
            raise InvalidInput(
                f"{text[:200]!r} is not a change that a target can always allow: write the URN, a "
                "colon and the path of one property, without a mark; what else may change is "
                "allowed release by release"
            )
        return cls(found["urn"], found["path"])


@dataclass(frozen=True, slots=True)
class Target:
    """A service in an environment."""

    name: str
    service: Service
    config_key: ConfigKey
    stack: StackName
    workload: Workload
    program: str = "cluster"
    """The Pulumi program's folder in the repository."""
    prepare: tuple[str, ...] = ()
    """A command to run in the checkout before Pulumi, without any credentials."""
    branch: str = "main"
    workflow: str = ""
    """Path of the GitHub workflow that builds and pushes the image; empty means that we do."""
    moves_main: bool = True
    ready_within: float = 120.0
    """Seconds from when the pod template asks for the image until all pods must be ready."""
    soak: float = 10.0
    """Seconds that ready pods must stay ready without a restart."""
    apply_within: float = 900.0
    """Seconds that one `pulumi up` may take."""
    allow_changes: tuple[Allowance, ...] = field(default=())
    full_drill: bool = False
    """Whether a full drill may really roll back here: nobody depends on the target."""


@dataclass(frozen=True, slots=True)
class CommitInfo:
    """What git knows of a commit that people want to read."""

    commit: Commit
    subject: str
    committed_at: str
    """ISO 8601, with offset."""
