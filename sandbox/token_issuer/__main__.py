"""Run the issuer: `python -m sandbox.token_issuer --folder DIR --port N`."""

import argparse
import secrets
from pathlib import Path

import uvicorn

from sandbox.token_issuer.accounts import make_accounts
from sandbox.token_issuer.app import make_app
from sandbox.token_issuer.keys import make_key


def main() -> None:
    """Serve on loopback until a signal comes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="key and accounts")
    parser.add_argument("--port", type=int, required=True)
    asked = parser.parse_args()
    make_key(asked.folder)
    make_accounts(asked.folder, lambda _: secrets.token_hex(16))
    uvicorn.run(make_app(asked.folder), host="127.0.0.1", port=asked.port, log_level="info")


if __name__ == "__main__":
    main()
