"""Taking a revision out of use: tags on it move to its replacement."""

from sandbox.pulumi_cloud.errors import bad_request
from sandbox.pulumi_cloud.esc.environments import LATEST, Environment


def retract(
    environment: Environment, version: str, replacement: int | None, reason: str, login: str
) -> None:
    """Make a revision unreadable; the latest one cannot be retracted."""
    number = environment.resolve(version)
    record = environment.record()
    if number == record["tags"][LATEST]["revision"]:
        raise bad_request(f"revision {number} is the latest and cannot be retracted")
    chosen = replacement or _nearest(number, environment)
    if chosen == number:
        raise bad_request(f"revision {number} cannot replace itself")
    environment.resolve(str(chosen))
    record["retracted"][str(number)] = {
        "replacement": chosen,
        "at": environment.now(),
        "byLogin": login,
        "byName": login,
        "reason": reason,
    }
    for tag in record["tags"].values():
        if tag["revision"] == number:
            tag["revision"] = chosen
    environment.save(record)


def _nearest(number: int, environment: Environment) -> int:
    """The next older revision in use, else the next newer one."""
    retracted = {int(each) for each in environment.record()["retracted"]}
    older = range(number - 1, 0, -1)
    newer = range(number + 1, environment.latest() + 1)
    nearest: int = next(each for each in (*older, *newer) if each not in retracted)
    return nearest
