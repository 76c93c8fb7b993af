"""A restart whose answer is lost is looked up: it is never sent twice, and never guessed."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from slipway.clients.kubernetes_objects import Object
from slipway.clients.kubernetes_restart import RESTARTED_AT, restart
from slipway.errors import SlipwayError, Unproven, Unreachable
from tests.fakes.virtual_time import VirtualTimeLoop

PATH = "/apis/apps/v1/namespaces/apps/deployments/web"
LOST = Unreachable("the API server does not answer: check it")


@dataclass
class ApiServer:
    """A Deployment behind a wire that loses what a test tells it to."""

    arrives: bool = True
    answers: bool = True
    looks_answered_after: float = 0.0
    restarted_at: str = "before"
    patches: list[Object] = field(default_factory=list)
    clock: Callable[[], float] = lambda: 0.0

    async def ask(self, method: str, path: str, body: Object | None) -> tuple[int, str]:
        assert path.partition("?")[0] == PATH
        if method == "PATCH" and body is not None:
            self.patches.append(body)
            if self.arrives:
                self.restarted_at = annotation_of(body)
            if not self.answers:
                raise LOST
        elif self.clock() < self.looks_answered_after:
            raise LOST
        return 200, json.dumps(deployment(self.restarted_at))


def deployment(restarted_at: str) -> dict[str, Any]:
    return {"spec": {"template": {"metadata": {"annotations": {RESTARTED_AT: restarted_at}}}}}


def annotation_of(body: Object) -> str:
    return str(body["spec"]["template"]["metadata"]["annotations"][RESTARTED_AT])


def restarted(server: ApiServer) -> tuple[int, str] | SlipwayError:
    loop = VirtualTimeLoop()
    server.clock = loop.time
    try:
        return loop.run_until_complete(restart(server.ask, PATH, "Deployment apps/web"))
    except SlipwayError as error:
        return error
    finally:
        loop.close()


def test_an_answer_that_comes_is_the_answer() -> None:
    server = ApiServer()

    answer = restarted(server)

    assert not isinstance(answer, SlipwayError)
    assert answer[0] == 200
    assert server.restarted_at != "before"


@pytest.mark.parametrize("away", [0.0, 5.0])
def test_one_that_arrived_although_its_answer_was_lost_is_made(away: float) -> None:
    server = ApiServer(answers=False, looks_answered_after=away)

    assert restarted(server) == (200, "")
    assert len(server.patches) == 1


def test_one_that_never_arrived_is_said_not_to_have_been_made() -> None:
    server = ApiServer(arrives=False, answers=False)

    error = restarted(server)

    assert isinstance(error, Unreachable)
    assert "was not restarted" in str(error)
    assert len(server.patches) == 1


def test_one_that_nobody_can_look_up_is_not_called_refused() -> None:
    error = restarted(ApiServer(answers=False, looks_answered_after=1e9))

    assert isinstance(error, Unproven)
    assert "slipway status" in str(error)
