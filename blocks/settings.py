"""The one schema of where things are: slipway.toml is read into it, the Prefect blocks inherit it.

A field's description ends an error about it, so it says what to write.
"""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from slipway.domain.address import holds_credentials
from slipway.domain.image import ImageReference
from slipway.domain.signature import require_key
from slipway.domain.target import (
    Allowance,
    ConfigKey,
    Service,
    StackName,
    Target,
    Workload,
)
from slipway.errors import InvalidInput


def _without_who_reads(address: str) -> str:
    if holds_credentials(address):
        raise ValueError("it holds a user, password or token, and addresses are shown")
    return address


_AT_GITHUB = re.compile(
    r"(?:https://github\.com/|ssh://git@github\.com/|git@github\.com:)([\w.-]+/[\w.-]+?)(?:\.git)?/?"
)

Name = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
ThreeParts = Annotated[str, Field(pattern=r"^[^/\s]+/[^/\s]+/[^/\s]+$")]
Address = Annotated[str, AfterValidator(_without_who_reads)]
Seconds = Annotated[float, Field(ge=0)]


class Settings(BaseModel):
    """A table of slipway.toml; a key that is not known is refused."""

    # Pydantic's own words would repeat what was given: an address, say, that holds a token.
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class RepositorySettings(Settings):
    """The git repository of services and program."""

    url: Address = Field(
        min_length=1,
        description="Address of the git repository: https, ssh, or a path on this machine; "
        "user and token have fields of their own.",
    )
    username: str = Field(
        default="x-access-token", description="User for https; GitHub's tokens take any."
    )
    token: SecretStr | None = Field(
        default=None, description="Token for https; none for a public repository or ssh."
    )
    github: str = Field(
        default="",
        pattern=r"^([A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+)?$",
        description="Its name at GitHub, OWNER/NAME; empty where the address tells it.",
    )

    github_token: SecretStr | None = Field(
        default=None,
        description="Token that may write commit statuses and deployments at GitHub; none tells "
        "GitHub nothing.",
    )
    github_api: Address = Field(
        default="https://api.github.com", description="Address of GitHub's REST API."
    )

    github_hook: int = Field(
        default=0,
        ge=0,
        description="Number of the webhook at GitHub, the last part of its page's address: failed "
        "deliveries are sent again, for which github_token must read and write webhooks. 0: not.",
    )

    @property
    def github_name(self) -> str:
        """The name that GitHub's deliveries call it by; empty when nothing tells it."""
        found = _AT_GITHUB.fullmatch(self.url)
        return self.github or (found[1] if found else "")


class RegistrySettings(Settings):
    """The image registry, with an account that may pull and push."""

    host: str = Field(
        min_length=1, description="Host of the registry, with its port if there is one: ghcr.io."
    )
    username: str = Field(default="", description="The account's name; empty for none.")
    password: SecretStr | None = Field(
        default=None, description="The account's password or token, with read and write access."
    )
    packages: str = Field(
        default="",
        pattern=r"^((orgs|users)/[A-Za-z0-9-]+)?$",
        description="For ghcr.io, who owns the packages: orgs/NAME or users/NAME. Deletions go to "
        "GitHub's Packages API then, with the password as their token. Empty: to the registry.",
    )
    packages_api: Address = Field(
        default="https://api.github.com", description="Address of GitHub's REST API."
    )
    insecure: bool = Field(
        default=False, description="Whether to speak plain http: for a registry on this machine."
    )


class PulumiSettings(Settings):
    """The Pulumi account that holds stack and ESC environment, and the CLI that uses it."""

    token: SecretStr = Field(description="The access token of Pulumi.")
    backend: Address = Field(
        default="https://api.pulumi.com",
        description="Address of Pulumi Cloud's API; the token has a field of its own.",
    )
    cli: str = Field(default="pulumi", description="The pulumi command: a name on PATH or a path.")
    home: str = Field(
        default="", description="Folder for plugins and credentials; empty takes the CLI's own."
    )


class ClusterSettings(Settings):
    """The Kubernetes cluster, by a kubeconfig."""

    context: str = Field(
        min_length=1, description="The context of the kubeconfig, as kubectl config lists them."
    )
    kubeconfig: str = Field(
        default="~/.kube/config", description="Path of the kubeconfig, unless it is given itself."
    )
    kubeconfig_text: SecretStr | None = Field(
        default=None, description="The kubeconfig itself, where there is no file to read."
    )


class DockerSettings(Settings):
    """The Docker engine that builds and pushes."""

    host: Address = Field(
        min_length=1, description="Address of the engine: unix:///var/run/docker.sock or tcp://…."
    )


class TargetSettings(Settings):
    """A service in an environment: what is built from where, and where it must run."""

    name: Name = Field(description="Lower-case letters and digits, in words joined by dashes.")
    repository: RepositorySettings = Field(description="The repository of service and program.")
    registry: RegistrySettings = Field(description="Where the service's images are.")
    pulumi: PulumiSettings = Field(description="The account of stack and ESC environment.")
    cluster: ClusterSettings = Field(description="Where the service runs.")
    docker: DockerSettings = Field(description="What builds the service's images.")

    image: str = Field(description="The image repository, with its host: ghcr.io/acme/shop/web.")
    folder: str = Field(min_length=1, description="The service's folder in the repository.")
    service: str = Field(default="", description="The service's name; empty takes the image's.")
    context: str = Field(
        default="", description="The build context; empty is the folder, a dot the repository."
    )
    dockerfile: str = Field(
        default="", description="Path in the repository; empty is Dockerfile in the folder."
    )
    platform: str = Field(
        default="linux/amd64",
        pattern=r"^[a-z0-9]+/[a-z0-9]+(/[a-z0-9]+)?$",
        description="What to build for, as os/architecture: linux/amd64.",
    )
    build_arguments: dict[str, str] = Field(
        default_factory=dict, description="Arguments of the build; they end up in the image."
    )
    signed_by: str = Field(
        default="",
        description="Public key (the text of cosign.pub) of who signs the image; an audit finds "
        "images without its signature. Empty asks for none.",
    )
    branch: str = Field(
        default="main", min_length=1, description="The branch whose commits may be deployed."
    )
    workflow: str = Field(
        default="",
        pattern=r"^(\.github/workflows/[^/\s]+\.ya?ml)?$",
        description="The GitHub workflow that builds and pushes the image, as its path "
        ".github/workflows/NAME.yml; empty: Slipway builds it.",
    )
    moves_main: bool = Field(
        default=True, description="Whether a live deploy here moves the image's tag main."
    )

    stack: ThreeParts = Field(description="The Pulumi stack, as ORGANIZATION/PROJECT/STACK.")
    environment: ThreeParts = Field(
        description="The ESC environment, as ORGANIZATION/PROJECT/ENVIRONMENT."
    )
    key: str = Field(
        pattern=r"^[^\s:]+:[^\s:]+$",
        description="The key of pulumiConfig that holds the image, as NAMESPACE:NAME.",
    )
    program: str = Field(
        default="cluster", min_length=1, description="The Pulumi program's folder."
    )
    prepare: list[str] = Field(
        default_factory=list, description="A command to run in the checkout before Pulumi."
    )
    apply_within: Seconds = Field(default=900, description="Seconds that one update may take.")
    allow_changes: list[str] = Field(
        default_factory=list,
        description="Properties beside the image that a release may update, each as URN:path.",
    )

    full_drill: bool = Field(
        default=False,
        description="Whether a full drill may really roll back here, and forth again: for a target "
        "that nobody depends on.",
    )

    namespace: str = Field(min_length=1, description="The Deployment's namespace.")
    deployment: str = Field(
        default="", description="The Deployment's name; empty finds it by its labels."
    )
    labels: dict[str, str] = Field(
        default_factory=dict, description="Labels that fit exactly one Deployment."
    )
    container: str = Field(min_length=1, description="The container that runs the image.")
    port: int = Field(default=8080, ge=1, le=65535, description="The port of the health path.")
    health_path: str = Field(
        default="/health",
        pattern=r"^(/.*)?$",
        description="Path that answers 2xx when a pod is well; empty trusts readiness alone.",
    )
    ready_within: Seconds = Field(
        default=120, description="Seconds until all pods must be ready after the update."
    )
    soak: Seconds = Field(
        default=10, description="Seconds that ready pods must stay ready without a restart."
    )

    def target(self) -> Target:
        """The target as the domain knows it; `InvalidInput` for what does not fit together."""
        organization, project, environment = self.environment.split("/")
        return Target(
            self.name,
            self._service(),
            ConfigKey(organization, project, environment, self.key),
            StackName(*self.stack.split("/")),
            self._workload(),
            program=self.program,
            prepare=tuple(self.prepare),
            branch=self.branch,
            workflow=self.workflow,
            moves_main=self.moves_main,
            ready_within=self.ready_within,
            soak=self.soak,
            apply_within=self.apply_within,
            full_drill=self.full_drill,
            allow_changes=tuple(Allowance.parse_standing(each) for each in self.allow_changes),
        )

    def _service(self) -> Service:
        image = ImageReference(self.image)
        if image.host != self.registry.host:
            raise InvalidInput(
                f"image is at {image.host}, but the registry is {self.registry.host}: "
                "name the registry that holds the image"
            )
        if self.signed_by:
            require_key(self.signed_by)
        repository = image.repository
        return Service(
            self.service or repository.rsplit("/", 1)[-1],
            self.folder,
            repository,
            context=self.context,
            dockerfile=self.dockerfile,
            platform=self.platform,
            build_arguments=tuple(sorted(self.build_arguments.items())),
            source=self.repository.url if self.repository.url.startswith("https://") else "",
            signed_by=self.signed_by,
        )

    def _workload(self) -> Workload:
        if not self.deployment and not self.labels:
            raise InvalidInput("neither deployment nor labels is given: say which Deployment it is")
        return Workload(
            self.namespace,
            self.container,
            name=self.deployment,
            labels=tuple(sorted(self.labels.items())),
            port=self.port,
            health_path=self.health_path,
        )
