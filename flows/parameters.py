"""What a person fills in to start a run, as Prefect's form shows it."""

from typing import Annotated

from prefect.runtime import flow_run
from pydantic import BaseModel, ConfigDict, Field

from slipway.domain.commit import SHORTEST_PREFIX
from slipway.domain.release import PREVIOUS, Kind, Options, Request
from slipway.domain.target import Allowance

_HASH = r"[0-9a-f]{7,40}"
# Only forms refuse by these patterns. Whoever gets past them is refused by the release itself,
# which says more, and whose ledger remembers it.
CommitField = Annotated[str, Field(json_schema_extra={"pattern": f"^{_HASH}$"})]
WayBackField = Annotated[str, Field(json_schema_extra={"pattern": f"^({PREVIOUS}|{_HASH})$"})]
ReasonField = Annotated[str, Field(json_schema_extra={"minLength": 1})]


class DeployOptions(BaseModel):
    """What a person may allow beyond the rules of a deploy; each is recorded with the release."""

    model_config = ConfigDict(extra="forbid")

    first: bool = Field(
        default=False, description="A first-ever ESC key or Deployment may be made."
    )
    adopt_image: bool = Field(
        default=False, description="An image that Slipway did not build may be deployed."
    )
    no_way_back: bool = Field(
        default=False, description="Go on although nothing could be restored."
    )
    allow_changes: list[str] = Field(
        default_factory=list,
        description="Changes beside the image, each as a refusal printed it: URN:path@mark.",
    )
    even_if_vetoed: str = Field(
        default="", description="Why a commit that is vetoed here may be deployed all the same."
    )
    automatic: bool = Field(
        default=False, description="No person asks: holds, vetoes and newer commits come first."
    )


class RollbackOptions(BaseModel):
    """What a person may allow beyond the rules of a rollback."""

    model_config = ConfigDict(extra="forbid")

    only_image: bool = Field(
        default=False, description="Update this target's Deployment only, nothing beside it."
    )
    no_way_back: bool = Field(
        default=False, description="Go on although nothing could be restored."
    )
    allow_changes: list[str] = Field(
        default_factory=list,
        description="Changes beside the image, each as a refusal printed it: URN:path@mark.",
    )


def as_request(
    kind: Kind,
    wanted: str,
    requested_by: str,
    why: str,
    options: DeployOptions | RollbackOptions,
) -> Request:
    """The request that a run's parameters mean."""
    values = options.model_dump()
    automatic = values.pop("automatic", False)
    allowed = tuple(Allowance.parse(each) for each in values.pop("allow_changes"))
    return Request(
        kind,
        wanted.strip(),
        requested_by or "prefect",
        why=why,
        options=Options(**values, allow_changes=allowed),
        automatic=automatic,
        prefect_run=flow_run.get_id() or "",
    )


def name_deploy() -> str:
    """A run's name for people: `deploy 1a2b3c4 to shop-prod`."""
    parameters = flow_run.get_parameters()
    commit = str(parameters.get("commit", ""))[:SHORTEST_PREFIX]
    return f"deploy {commit} to {parameters.get('target', '')}"


def name_rollback() -> str:
    """A run's name for people: `roll back shop-prod to previous`."""
    parameters = flow_run.get_parameters()
    to = str(parameters.get("to", PREVIOUS))
    short = to if to == PREVIOUS else to[:SHORTEST_PREFIX]
    return f"roll back {parameters.get('target', '')} to {short}"
