"""Which hosts are this machine itself: only there plain http is spoken unasked."""

import functools
import re


@functools.lru_cache(maxsize=64)
def is_loopback(host: str) -> bool:
    """Whether a host (with or without its port) is this machine's loopback."""
    name = host.partition(":")[0]
    return name == "localhost" or bool(re.fullmatch(r"127(\.[0-9]{1,3}){3}", name))
