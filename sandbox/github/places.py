"""Where GitHub's halves are in a sandbox, and who may use them."""

from sandbox.box import Box
from sandbox.github.deliveries import Hook


def api(box: Box) -> str:
    """The REST API's address."""
    return f"http://127.0.0.1:{box.port('github')}"


def token(box: Box) -> str:
    """Who may use the REST API."""
    return box.secret("github")


def webhook_address(box: Box) -> str:
    """Where GitHub delivers."""
    return f"http://127.0.0.1:{box.port('webhook')}/github"


def secret(box: Box) -> str:
    """What GitHub signs with."""
    return box.secret("webhook")


def hook(box: Box) -> Hook:
    """The webhook as GitHub has it."""
    return Hook(webhook_address(box), secret(box), box.folder("github") / "deliveries.jsonl")
