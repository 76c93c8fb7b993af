"""`python -m sandbox.pulumi_cloud --port PORT --state DIR --credentials FILE`."""

import argparse
from pathlib import Path

import uvicorn

from sandbox.pulumi_cloud.app import create_app
from sandbox.pulumi_cloud.cloud import Cloud
from sandbox.pulumi_cloud.faults import FaultyConnections


def main() -> None:
    """Serve on loopback until told to stop."""
    parser = argparse.ArgumentParser(prog="sandbox.pulumi_cloud", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--state", type=Path, required=True, help="folder that keeps everything")
    parser.add_argument("--credentials", type=Path, required=True, help="accounts and admin token")
    options = parser.parse_args()
    app = create_app(Cloud.in_folder(options.state, options.credentials))
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=options.port,
        http=FaultyConnections,
        log_level="info",
        lifespan="off",
        timeout_graceful_shutdown=2,
    )


if __name__ == "__main__":
    main()
