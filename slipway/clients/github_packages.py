"""GHCR's deletions, by GitHub's Packages API: the registry itself answers them with 405.

What is deleted there can be restored for thirty days, by the number of its version.
https://docs.github.com/rest/packages/packages
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import httpx
from pydantic import SecretStr

from slipway.clients.github_session import PUBLIC, GitHubPlace, GitHubSession, items_in
from slipway.domain.image import Digest
from slipway.errors import AccessDenied, RegistryUnusable

MOST_PAGES = 1000
"""Of a hundred versions each."""


@dataclass(frozen=True, slots=True)
class PackageOwner:
    """Who owns packages: `orgs/acme` or `users/ada`; the token may read and delete them."""

    path: str
    token: SecretStr
    api: str = PUBLIC

    def package(self, name: str) -> GitHubPlace:
        """One container package, as a place of GitHub's API."""
        quoted = name.replace("/", "%2F")
        path = f"{self.path}/packages/container/{quoted}"
        return GitHubPlace(path, self.token, self.api, "the registry's password", "packages_api")


@dataclass(slots=True)
class GitHubPackages:
    """The versions of an owner's packages, by the digests that a registry knows them by."""

    owner: PackageOwner
    connect: Callable[[GitHubPlace], GitHubSession] = GitHubSession
    _known: dict[str, Mapping[Digest, int]] = field(default_factory=dict, repr=False)

    async def restore_number(self, path: str, digest: Digest) -> str:
        """By which the version of a digest is restored; empty where there is none any more."""
        number = await self._number(path.partition("/")[2], digest)
        return "" if number is None else str(number)

    async def remove(self, path: str, digest: Digest) -> None:
        """Delete the version of a digest in the repository `owner/package`, if there is one."""
        package = path.partition("/")[2]
        number = await self._number(package, digest)
        if number is None:
            return
        try:
            await self._session(package).send("DELETE", f"versions/{number}")
        except AccessDenied:  # GitHub's answer too for what is not there (any more)
            if digest in await self._versions(package):
                raise

    async def _number(self, package: str, digest: Digest) -> int | None:
        """Looked up among what was listed once; a version never changes its number."""
        if digest not in self._known.get(package, {}):
            self._known[package] = await self._versions(package)
        return self._known[package].get(digest)

    async def _versions(self, package: str) -> Mapping[Digest, int]:
        session, query = self._session(package), "per_page=100"
        found: dict[Digest, int] = {}
        for _ in range(MOST_PAGES):
            answer = await session.send("GET", f"versions?{query}")
            listed = items_in(answer)
            if not listed and answer.text.strip() != "[]":
                raise RegistryUnusable(
                    f"the versions of {self.owner.path} {package} can't be listed: GitHub answered "
                    "with something else; check packages_api of the registry"
                )
            for each in listed:
                found[Digest(str(each["name"]))] = int(each["id"])
            following = answer.links.get("next", {}).get("url")
            if following is None:
                return found
            query = httpx.URL(following).query.decode()
        raise RegistryUnusable(
            f"the list of versions of {self.owner.path} {package} has no end after {MOST_PAGES} "
            "pages: check packages_api of the registry"
        )

    def _session(self, package: str) -> GitHubSession:
        return self.connect(self.owner.package(package))
