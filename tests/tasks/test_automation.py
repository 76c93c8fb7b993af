"""docs/automation.yaml is an automation that Prefect takes, and finds in an event what it names."""

from pathlib import Path
from typing import Any

import jinja2
import yaml
from prefect.events.schemas.automations import AutomationCore, EventTrigger
from prefect.events.schemas.events import ResourceSpecification

from slipway.domain.auditing.rules import judge
from slipway.domain.finding import Severity
from slipway.tasks.audit_report import NEW, payload
from tests.domain.auditing.troubled import TROUBLED

EXAMPLE: dict[str, Any] = yaml.safe_load(
    (Path(__file__).parents[2] / "docs" / "automation.yaml").read_text()
)


def test_prefect_takes_it_and_it_waits_for_new_errors() -> None:
    trigger = AutomationCore.model_validate(EXAMPLE).trigger

    assert isinstance(trigger, EventTrigger)
    assert trigger.expect == {NEW}
    severe = {"slipway.severity": [Severity.ERROR.value, Severity.CRITICAL.value]}
    assert trigger.match == ResourceSpecification(severe)


def test_it_tells_what_is_wrong_and_what_to_type() -> None:
    [finding] = judge(TROUBLED["a tag was overwritten"][1]).findings
    told = {"event": {"payload": payload(finding)}}
    strict = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)  # noqa: S701 - no HTML
    [action] = EXAMPLE["actions"]

    subject, body = (strict.from_string(action[each]).render(told) for each in ("subject", "body"))

    assert subject == f"critical IMG004 at {finding.target}: {finding.about}"
    assert body == (f"{finding.seen}\nTo do: {finding.remedy.sentence}\n{finding.remedy.command}")
