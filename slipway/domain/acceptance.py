"""Whether a target may go back to a commit's image: what rollback accepts and candidates list."""

from dataclasses import dataclass

from slipway.domain.commit import Commit
from slipway.domain.image import Digest, PublishedImage
from slipway.domain.publication import origin, require_platforms, require_whole
from slipway.errors import AlreadyLive, ImageMissing, TagConflict


@dataclass(frozen=True, slots=True)
class Published:
    """What the registry holds of a commit's image now, beside what was recorded of it."""

    repository: str
    commit: Commit
    recorded: Digest | None = None
    """The digest that was published under the commit's tag, or proven live here."""
    image: PublishedImage | None = None
    """What is held under the recorded digest; under the tag where none was recorded."""
    tagged: PublishedImage | None = None
    """What is held under the tag; looked up where the recorded digest is gone."""
    same_inputs: bool = False
    """Whether git gives the commit of the image's label the same build inputs."""

    @property
    def overwritten(self) -> bool:
        """Whether the tag holds another image than was published."""
        tagged = self.tagged
        return self.recorded is not None and tagged is not None and tagged.digest != self.recorded


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What decides about every commit alike: the target, what it runs, on which nodes."""

    target: str
    running: Digest | None
    nodes: frozenset[str]
    """Platforms of those that its pods may come to."""
    may_run: bool = False
    """The image may be the one that runs: a restore may just have brought it back."""
    asked: str = ""
    """The image that the pod template asks for; empty where there is no Deployment."""


def acceptable(found: Published, there: Surroundings) -> PublishedImage:
    """The image to go back to, or an error that says why a rollback to the commit is refused.

    An image is taken as it was published, wherever its tag points since. Of one that nobody
    recorded the tag is all there is: then its label must not name another commit.
    """
    image, tag = found.image, f"{found.repository}:{found.commit}"
    if image is None and found.tagged is not None:
        raise TagConflict(
            f"{tag} was published as {found.recorded}, which the registry does not have any more, "
            f"and holds {found.tagged.digest} now: somebody has overwritten the tag, so "
            f"{found.commit.short} can't be rolled back to; choose another commit"
        )
    if image is None:
        raise ImageMissing(
            f"{tag} does not exist, so {found.commit.short} was never published, or is gone, and "
            "can't be rolled back to: choose another commit"
        )
    if found.recorded is None:
        origin(image, found.commit, same_inputs=found.same_inputs)
    if not there.may_run and there.running is not None and there.running in image.accepted:
        raise AlreadyLive(
            f"{found.commit.short} is what runs at {there.target} already ({image.digest}): choose "
            "another commit"
        )
    require_whole(image)
    require_platforms(image, there.nodes)
    return image
