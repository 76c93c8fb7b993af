"""The Prefect deployments of targets: to deploy, to roll back, to recover a stack, to audit all.

`prefect.yaml` says the same of the example's targets, as far as Prefect lets it; tests hold the two
together.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import DeploymentScheduleCreate, WorkPoolCreate
from prefect.client.schemas.schedules import CronSchedule
from prefect.exceptions import ObjectNotFound
from prefect.flows import Flow
from prefect.utilities.callables import parameter_schema
from prefect.workers.process import ProcessWorker

from flows.audit import audit
from flows.candidates import candidates
from flows.deploy import deploy
from flows.drill import drill
from flows.prune import prune
from flows.recover import recover
from flows.rollback import rollback
from slipway.domain.target import Target

WORK_POOL = "slipway"
JOB_VARIABLES = {
    # Skips two of the three Python starts that a run costs otherwise.
    "command": "python -m prefect.engine",
    "env": {"PREFECT_LOGGING_EXTRA_LOGGERS": "slipway,flows"},
}


AUDIT_TIMES = "*/15 * * * *"
EVERY_TAG_TIMES = "0 4 * * *"
DRILL_TIMES = "0 5 * * *"


@dataclass(frozen=True, slots=True)
class Deployment:
    """One entry of Prefect's Deployments page."""

    flow: Flow[Any, Any]
    name: str
    target: str
    """The target that its runs are about; empty for one that is about all."""
    description: str
    cron: str = ""
    """When it runs by itself, in UTC; empty for never."""
    more: Mapping[str, Any] = field(default_factory=dict)
    """What else the form has filled in already."""

    @property
    def entrypoint(self) -> str:
        """Where a worker finds the flow: in the installed package."""
        return f"{self.flow.fn.__module__}.{self.flow.fn.__name__}"

    @property
    def form(self) -> dict[str, Any]:
        """The form's fields and no others: a mistyped parameter would only crash the run."""
        fields: dict[str, Any] = parameter_schema(self.flow).model_dump_for_openapi()
        return fields | {"additionalProperties": False}

    @property
    def parameters(self) -> dict[str, Any]:
        """What the form has filled in already."""
        return ({"target": self.target} if self.target else {}) | dict(self.more)

    @property
    def tags(self) -> list[str]:
        """What people filter by."""
        return ["slipway", self.flow.name]

    def __str__(self) -> str:
        return f"{self.flow.name}/{self.name}"


def deployments_of(targets: Sequence[Target]) -> Iterator[Deployment]:
    """Every deployment that the targets need."""
    stacks: dict[str, str] = {}
    for each in targets:
        name = each.name
        yield Deployment(deploy, name, name, f"Deploy a commit to {name}, and prove that it runs.")
        published = f"Bring back an image of {name}; candidates/{name} shows which there are."
        yield Deployment(rollback, name, name, published)
        ways = f"Show what {name} could go back to, and what each rollback would meet."
        yield Deployment(candidates, name, name, ways)
        stacks.setdefault(each.stack.deployment, name)
    for stack, name in stacks.items():
        yield Deployment(recover, stack, name, "Finish what a dead process left open at the stack.")
    seen = "See whether what should run runs, everywhere, and could still go back."
    yield Deployment(audit, "all", "", seen, AUDIT_TIMES)
    whole = "The same, and every tag that was ever published, and what nobody needs any more."
    every_tag = {"options": {"every_tag": True}}
    yield Deployment(audit, "every-tag", "", whole, EVERY_TAG_TIMES, every_tag)
    tried = "See whether each target's default rollback would work; touches no production."
    yield Deployment(drill, "all", "", tried, DRILL_TIMES)
    for repository in dict.fromkeys(each.service.repository for each in targets):
        name = prune_name(repository)
        needless = f"Show what of {repository} nobody needs any more; delete it by the plan's hash."
        yield Deployment(prune, name, "", needless, more={"repository": repository})


def prune_name(repository: str) -> str:
    """The name of the deployment that prunes a repository: `ghcr.io:acme:shop:adapter`.

    Prefect refuses a slash. The colon of a host's port becomes a plus, which stands in no
    repository, so that no two share a name.
    """
    return repository.replace(":", "+").replace("/", ":")


async def save_deployments(client: PrefectClient, targets: Sequence[Target]) -> list[str]:
    """Make the work pool unless it is there, and the deployments; what a person set up stays."""
    await _ensure_work_pool(client)
    saved = []
    for each in deployments_of(targets):
        await client.create_deployment(
            flow_id=await client.create_flow(each.flow),
            name=each.name,
            description=each.description,
            entrypoint=each.entrypoint,
            parameters=each.parameters,
            parameter_openapi_schema=each.form,
            enforce_parameter_schema=True,
            work_pool_name=WORK_POOL,
            job_variables=JOB_VARIABLES,
            pull_steps=[],
            tags=each.tags,
            schedules=await _schedules(client, each),
        )
        saved.append(str(each))
    return saved


async def _schedules(
    client: PrefectClient, each: Deployment
) -> list[DeploymentScheduleCreate] | None:
    """Its schedule at first; later what a person has made of it stays."""
    try:
        await client.read_deployment_by_name(str(each))
    except ObjectNotFound:
        if each.cron:
            schedule = CronSchedule(cron=each.cron, timezone="UTC")
            return [DeploymentScheduleCreate(schedule=schedule, active=True)]
    return None


async def _ensure_work_pool(client: PrefectClient) -> None:
    try:
        await client.read_work_pool(WORK_POOL)
    except ObjectNotFound:
        template = ProcessWorker.get_default_base_job_template()
        pool = WorkPoolCreate(name=WORK_POOL, type="process", base_job_template=template)
        await client.create_work_pool(pool)
