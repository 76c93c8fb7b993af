"""Started by the Pulumi engine: prints its port, serves until it is told to stop."""

import os
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc

from sandbox.kubernetes_provider.server import Provider
from sandbox.kubernetes_provider.stubs import provider_grpc

LOOK_EVERY = 1.0
MESSAGE_SIZE = 400 * 1024 * 1024
"""Bytes: the engine's own limit."""


def main() -> None:
    """Serve on a free port of loopback until SIGTERM, or until the engine is gone."""
    stopping = threading.Event()
    limits = [("grpc.max_receive_message_length", MESSAGE_SIZE)]
    server = grpc.server(ThreadPoolExecutor(max_workers=16), options=limits)
    provider_grpc.add_ResourceProviderServicer_to_server(Provider(stopping.set), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    for each in (signal.SIGTERM, signal.SIGINT):
        # The engine gives a plugin a process group of its own, ends it by SIGINT, and waits for
        # five seconds before it kills.
        signal.signal(each, lambda *_: stopping.set())
    print(port, flush=True)
    engine = os.getppid()
    while not stopping.wait(LOOK_EVERY):
        if os.getppid() != engine:  # the engine was killed: nobody is left to serve
            break
    server.stop(grace=0.5)
    sys.exit(0)


if __name__ == "__main__":
    main()
