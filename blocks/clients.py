"""Builds the ports of a target: the only place where flows and command line get their clients."""

import hashlib
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar, cast

from blocks.ledger import open_ledger
from blocks.settings import (
    ClusterSettings,
    PulumiSettings,
    RegistrySettings,
    RepositorySettings,
    TargetSettings,
)
from slipway.clients.docker import DockerBuilder
from slipway.clients.esc import EscConfigStore
from slipway.clients.git import GitMirror
from slipway.clients.git_remote import GitCredentials, Remote
from slipway.clients.github import GitHubApi
from slipway.clients.github_packages import GitHubPackages, PackageOwner
from slipway.clients.github_session import GitHubSession, github_repository
from slipway.clients.kept_documents import KeptDocuments
from slipway.clients.kubernetes import KubernetesCluster
from slipway.clients.processes import LocalProcesses
from slipway.clients.pulumi import PulumiStack
from slipway.clients.pulumi_api import PulumiApi
from slipway.clients.pulumi_cli import PulumiCli
from slipway.clients.registry import OciRegistry
from slipway.clients.registry_session import RegistrySession
from slipway.errors import InvalidInput
from slipway.ledger.settings import state_folder
from slipway.ports import Ports, PullCredentials

T = TypeVar("T")
FindTarget = Callable[[str], Awaitable[TargetSettings]]


class Shared:
    """Clients that targets have in common: one for each place, however many targets name it."""

    def __init__(self) -> None:
        self._made: list[tuple[object, object]] = []

    def once(self, place: object, make: Callable[[], T]) -> T:
        """The client of a place, made for the first who asks; places are compared whole."""
        for known, client in self._made:
            if known == place:
                return cast("T", client)
        made = make()
        self._made.append((place, made))
        return made


def build_ports(settings: TargetSettings, find: FindTarget, shared: Shared | None = None) -> Ports:
    """The ports of a target; `find` gives another target of the same stack by its name.

    Closing ports closes what they share too: only who closes all of them at once may share.
    """

    async def neighbour(name: str) -> Ports:
        return build_ports(await find(name), find)

    async def close() -> None:
        for each in (registry, api, ledger):
            await each.close()

    target = settings.target()
    credentials = _registry_credentials(settings)
    once = (shared or Shared()).once
    registry = once(settings.registry, lambda: _registry(settings, credentials))
    api = once(settings.pulumi, lambda: PulumiApi(settings.pulumi.backend, settings.pulumi.token))
    ledger = once("the ledger", open_ledger)
    return Ports(
        target,
        GitMirror(_remote(settings.repository), state_folder() / "git"),
        DockerBuilder(registry, credentials, settings.docker.host),
        registry,
        EscConfigStore(api),
        PulumiStack(target, _pulumi_cli(settings.pulumi, settings.cluster, api)),
        once(settings.cluster, lambda: _cluster(settings.cluster)),
        ledger,
        LocalProcesses(),
        neighbour,
        close,
        _github(settings.repository),
    )


def _remote(repository: RepositorySettings) -> Remote:
    if repository.token is None:
        return Remote(repository.url)
    return Remote(repository.url, GitCredentials(repository.username, repository.token))


def _github(repository: RepositorySettings) -> GitHubApi | None:
    if repository.github_token is None:
        return None
    if not repository.github_name:
        raise InvalidInput(
            f"the repository {repository.url} has a github_token, but nothing tells its name at "
            'GitHub: add github = "OWNER/NAME"'
        )
    place = github_repository(
        repository.github_name, repository.github_token, repository.github_api
    )
    return GitHubApi(GitHubSession(place))


def _registry(settings: TargetSettings, credentials: PullCredentials | None) -> OciRegistry:
    kept = KeptDocuments(state_folder() / "documents")
    session = _registry_session(settings, credentials)
    return OciRegistry(session, kept, _packages(settings.registry))


def _packages(registry: RegistrySettings) -> GitHubPackages | None:
    if not registry.packages:
        return None
    if registry.password is None:
        raise InvalidInput(
            f"the registry {registry.host} has packages = {registry.packages!r}, but no password, "
            "which is the token that may delete them: add one"
        )
    return GitHubPackages(PackageOwner(registry.packages, registry.password, registry.packages_api))


def _registry_credentials(settings: TargetSettings) -> PullCredentials | None:
    registry = settings.registry
    if registry.password is None:
        return None
    return PullCredentials(registry.host, registry.username, registry.password)


def _registry_session(
    settings: TargetSettings, credentials: PullCredentials | None
) -> RegistrySession:
    plain = frozenset({settings.registry.host}) if settings.registry.insecure else frozenset()
    return RegistrySession(credentials, plain)


def _cluster(cluster: ClusterSettings) -> KubernetesCluster:
    return KubernetesCluster(
        kubeconfig=str(Path(cluster.kubeconfig).expanduser()),
        kubeconfig_text=cluster.kubeconfig_text,
        context=cluster.context,
    )


def _pulumi_cli(pulumi: PulumiSettings, cluster: ClusterSettings, api: PulumiApi) -> PulumiCli:
    home = Path(pulumi.home).expanduser() if pulumi.home else None
    environment = {"KUBECONFIG": str(_kubeconfig_file(cluster))}
    return PulumiCli(api, pulumi.cli, home, environment)


def _kubeconfig_file(cluster: ClusterSettings) -> Path:
    """The provider reads a file: a kubeconfig that was given as text is kept in one of ours."""
    if cluster.kubeconfig_text is None:
        return Path(cluster.kubeconfig).expanduser()
    text = cluster.kubeconfig_text.get_secret_value().encode()
    folder = state_folder() / "kubeconfigs"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Named by what it holds: one file, whoever writes it, and whole whenever somebody reads it.
    path = folder / hashlib.sha256(text).hexdigest()[:16]
    with tempfile.NamedTemporaryFile(dir=folder, delete=False) as writing:
        writing.write(text)
    Path(writing.name).replace(path)
    return path
