"""Takes what looks like a credential's value out of text from outside, before people see it.

Rather too much than too little: a line that loses a harmless word still tells its story.
"""

import re

from slipway.domain.address import without_credentials

_WORDS = r"(?:token|passwd|password|secret|credential|authorization|(?:api|access)[_-]?key)"
_NAME = rf"[\w.-]*{_WORDS}[\w.-]*"
_VALUE = r"""(?:"[^"]*"|'[^']*'|(?:bearer|basic|token)\s+\S+|\S+)"""
_ASSIGNED = re.compile(rf"({_NAME}[\"']?\s*[:=]\s*){_VALUE}", re.IGNORECASE)
_FLAG = re.compile(rf"(--{_NAME}\s+){_VALUE}", re.IGNORECASE)


def redacted(text: str) -> str:
    """The text without values of credentials: assigned, given as flags, or inside addresses."""
    text = _ASSIGNED.sub(r"\1***", text)
    text = _FLAG.sub(r"\1***", text)
    return without_credentials(text, "***@")


def redacted_error(error: Exception) -> str:
    """Kind and words of an error that is not ours: httpx's hold the whole address."""
    return f"{type(error).__name__} {redacted(str(error))}"
