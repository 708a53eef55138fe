"""The embedded Prefect API: a child process on a free local port that ends with its parent, however that ends.

Prefect can start such a child itself, and leaves it behind when the parent is killed. This one watches its standard
input: the pipe closes with the parent, whatever happened to it, and the child ends. Run as `python -m flows.server`.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import threading

HOST = "127.0.0.1"


def serve() -> None:
    """Serve the API on a free port, written to standard output first, until standard input closes."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind((HOST, 0))
    print(listener.getsockname()[1], flush=True)
    threading.Thread(target=_end_with_parent, daemon=True).start()

    import uvicorn
    from prefect.server.api.server import create_app

    server = uvicorn.Server(uvicorn.Config(create_app, factory=True, lifespan="on", log_level="error"))
    asyncio.run(server.serve(sockets=[listener]))


def _end_with_parent() -> None:
    """Wait until the parent closes the pipe or is gone; SQLite's journal makes an end at any moment safe."""
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    serve()
