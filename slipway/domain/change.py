"""The guard: what one update of a stack may change, judged by the engine's own events.

The events' shapes are those of `pulumi preview --json` and of the engine's event log
(pulumi/pulumi sdk/go/common/apitype/events.go); the Stack client parses both into these values.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from slipway.domain.target import Allowance
from slipway.errors import ChangeNotAllowed, PreviewFailed

DEPLOYMENT_TYPE = "kubernetes:apps/v1:Deployment"
SHOWN = 10
"""Changes that a refusal lists."""
APART = "apply those changes on their own first"
LEFT_OUT = "leave them out of a rollback with --only-image"
HARMLESS_OPS = frozenset({"same", "read", "refresh"})


@dataclass(frozen=True, slots=True)
class PathChange:
    """One property that an update changes: `spec.template.spec.containers[0].image`."""

    path: str
    kind: str
    """`add`, `delete`, `update`, or one of these with `-replace`."""
    values: str = ""
    """Stands for the old and the new value; empty while one of them is not known."""


@dataclass(frozen=True, slots=True)
class ContainerInput:
    """A container as the program asks for it; an image that is not known yet is None."""

    index: int
    name: str
    image: str | None


@dataclass(frozen=True, slots=True)
class ResourceChange:
    """What the engine means to do, or did, to one resource."""

    urn: str
    op: str
    type: str
    paths: tuple[PathChange, ...] = ()
    containers: tuple[ContainerInput, ...] = ()
    """Of a Deployment: the new inputs."""
    had_init_errors: bool = False
    """The state remembers that the last update of this resource did not become ready."""
    values: str = ""
    """Stands for all old and new inputs; empty while one of them is not known."""


@dataclass(frozen=True, slots=True)
class Preview:
    """Everything one preview or one update said about resources.

    `complete` is whether the engine ended with its summary: without it the list may be cut.
    """

    changes: tuple[ResourceChange, ...]
    complete: bool


@dataclass(frozen=True, slots=True)
class ImageChange:
    """The one change a release is about."""

    urn: str
    container: str
    image: str
    first: bool = False
    """The Deployment does not exist yet, and this release makes it."""


@dataclass(frozen=True, slots=True)
class Forbidden:
    """A change that the guard found beside the image."""

    urn: str
    path: str
    seen: str
    mark: str = ""
    """Stands for exactly this change; empty when nobody may allow it."""
    standing: bool = False
    """A plain update of one property, which a target may allow for good."""

    def __str__(self) -> str:
        return f"{self._name} ({self.seen})"

    @property
    def option(self) -> str:
        """How a person allows exactly this change; empty when nobody may."""
        return f"--allow-change '{self._name}'" if self.mark else ""

    @property
    def _name(self) -> str:
        return str(Allowance(self.urn, self.path, self.mark))

    def is_allowed_by(self, allowance: Allowance) -> bool:
        """Whether somebody has allowed this change, knowing it."""
        if (allowance.urn, allowance.path) != (self.urn, self.path):
            return False
        return allowance.mark == self.mark if allowance.mark else self.standing


def find_forbidden(
    preview: Preview, wanted: ImageChange, allowances: Iterable[Allowance] = ()
) -> list[Forbidden]:
    """Everything the preview would change beside the image, less what a person has allowed.

    A preview without its summary can't be judged and raises `PreviewFailed`.
    """
    if not preview.complete:
        raise PreviewFailed(
            f"the preview for {wanted.urn} ended without its summary, so changes may be missing "
            "from it: read Pulumi's output in the run's log and start a new run"
        )
    allowed = tuple(allowances)
    found = [each for change in preview.changes for each in _judge(change, wanted)]
    return [each for each in found if not any(map(each.is_allowed_by, allowed))]


def require_image_only(
    preview: Preview,
    wanted: ImageChange,
    allowances: Sequence[Allowance] = (),
    behind: str = "",
) -> None:
    """Refuse a preview that changes more than the image; `behind` tells who changed the config."""
    forbidden = find_forbidden(preview, wanted, allowances)
    if not forbidden:
        return
    listed = "; ".join(str(each) for each in forbidden[:SHOWN])
    more = f" and {len(forbidden) - SHOWN} more" if len(forbidden) > SHOWN else ""
    raise ChangeNotAllowed(
        f"the update would change more than the image of {wanted.urn}: {listed}{more}"
        f"{'; ' + behind if behind else ''}; {_remedy(forbidden)}"
    )


def _remedy(forbidden: Sequence[Forbidden]) -> str:
    """All of them must be allowed for the update to pass, so one that can't be ends it."""
    options = [each.option for each in forbidden]
    if not all(options) or len(options) > SHOWN:
        return f"{APART}, or {LEFT_OUT}"
    return f"{APART}, {LEFT_OUT}, or allow exactly them with {' '.join(options)}"


def find_first_urn(preview: Preview, wanted: ImageChange) -> ImageChange:
    """The Deployment that this preview would make for the image: a target's very first release."""
    made = [
        change.urn
        for change in preview.changes
        if change.op == "create" and change.type == DEPLOYMENT_TYPE
        for container in change.containers
        if (container.name, container.image) == (wanted.container, wanted.image)
    ]
    if len(made) != 1:
        raise ChangeNotAllowed(
            f"the preview would make {len(made)} Deployments with a container {wanted.container} "
            f"of {wanted.image}, not one: correct the program or the target's container"
        )
    return replace(wanted, urn=made[0], first=True)


def _judge(change: ResourceChange, wanted: ImageChange) -> list[Forbidden]:
    if change.op in HARMLESS_OPS:
        return _judge_untouched(change, wanted)
    if wanted.first and (change.urn, change.op) == (wanted.urn, "create"):
        return []
    if change.urn != wanted.urn or change.op != "update":
        return _forbid_all(change)
    return _judge_deployment(change, wanted)


def _forbid_all(change: ResourceChange) -> list[Forbidden]:
    if change.paths:
        return [_forbid(change, each) for each in change.paths]
    if change.op == "update":
        return [Forbidden(change.urn, "*", "an update that does not say what it changes")]
    return [Forbidden(change.urn, "*", change.op, _mark(change.op, "*", change.values))]


def _forbid(change: ResourceChange, path: PathChange) -> Forbidden:
    plain = (change.op, path.kind) == ("update", "update")
    seen = path.kind if change.op == "update" else change.op
    mark = _mark(change.op, path.kind, path.values)
    return Forbidden(change.urn, path.path, seen, mark, standing=plain)


def _mark(op: str, kind: str, values: str) -> str:
    """Twelve characters that another operation, kind or value would change."""
    if not values:
        return ""
    return hashlib.sha256(f"{op}\n{kind}\n{values}".encode()).hexdigest()[:12]


def _judge_untouched(change: ResourceChange, wanted: ImageChange) -> list[Forbidden]:
    """An unchanged Deployment must already ask for the wanted image, or the pin has no effect."""
    if change.urn != wanted.urn or change.op != "same":
        return []
    container = _container(change, wanted)
    if not change.containers or (container is not None and container.image == wanted.image):
        return []
    seen = container.image if container else f"no container {wanted.container}"
    path = _image_path(container) if container else "spec.template.spec.containers"
    return [Forbidden(change.urn, path, f"stays {seen}, not {wanted.image}")]


def _judge_deployment(change: ResourceChange, wanted: ImageChange) -> list[Forbidden]:
    container = _container(change, wanted)
    if container is None:
        path = "spec.template.spec.containers"
        return [Forbidden(change.urn, path, f"no container named {wanted.container}")]
    image_path = _image_path(container)
    forbidden = [
        _forbid(change, each)
        for each in change.paths
        if each.path != image_path or each.kind != "update"
    ]
    if container.image is None:
        forbidden.append(Forbidden(change.urn, image_path, "its new value is not known yet"))
    elif container.image != wanted.image:
        forbidden.append(Forbidden(change.urn, image_path, f"becomes {container.image}"))
    if not change.paths and not change.had_init_errors:
        forbidden.append(Forbidden(change.urn, "*", "an update that does not say what it changes"))
    return forbidden


def _container(change: ResourceChange, wanted: ImageChange) -> ContainerInput | None:
    return next((each for each in change.containers if each.name == wanted.container), None)


def _image_path(container: ContainerInput) -> str:
    return f"spec.template.spec.containers[{container.index}].image"
