"""Addresses of systems outside. They are shown, so they must not hold who reads them."""

import re

_CREDENTIALS = re.compile(
    r"(https?://)[^/?#\s]*@"  # over http all of it is one: a token alone is a user's name
    r"|([a-z][a-z0-9+.-]*://)[^/?#\s:@]*:[^/?#\s]*@",  # elsewhere (ssh://git@…) a user is none
    re.IGNORECASE,
)


def holds_credentials(address: str) -> bool:
    """Whether a password or a token stands before the address's host."""
    return _CREDENTIALS.search(address) is not None


def without_credentials(text: str, instead: str = "") -> str:
    """The text with `instead` in the place of what stands before its addresses' hosts."""
    return _CREDENTIALS.sub(lambda found: f"{found[1] or found[2]}{instead}", text)
