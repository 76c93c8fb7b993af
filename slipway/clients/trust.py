"""Whose certificates are trusted: read once a process, for it takes a twentieth of a second."""

import functools
import ssl

import httpx


@functools.cache
def trusted() -> ssl.SSLContext:
    """Httpx's own choice: certifi's authorities, or those that SSL_CERT_FILE and _DIR name."""
    return httpx.create_ssl_context()
