"""Reports for people: artifacts of the flow run inside one, log lines everywhere."""

import logging

from slipway.ports import Evidence

log = logging.getLogger(__name__)


async def report_evidence(target: str, why: str, evidence: Evidence) -> None:
    """Show what explains a failure: pods, events, the container's last lines."""
    log.warning("%s: %s", target, why)
    for kind, lines in (
        ("pod", evidence.pods),
        ("event", evidence.events),
        ("log", evidence.log),
    ):
        for line in lines:
            log.warning("%s: %s: %s", target, kind, line)
