"""A Prefect server as a child process that ends with its parent, however that ends.

Prefect can start such a child itself, and leaves it behind when the parent is killed. This one watches its standard
input: the pipe closes with the parent, whatever happened to it, and the child ends. Run as
`python -m flows.server [HOST PORT]`; what it serves beside the API (pages, scheduler) its environment says.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import threading

HOST = "127.0.0.1"


def serve(host: str = HOST, port: int = 0) -> None:
    """Serve, with the port written to standard output first, until standard input closes.

    Args:
        host: Address to listen at.
        port: Port to listen at; 0 for any that is free.
    """
    listener = listen(host, port)
    print(listener.getsockname()[1], flush=True)
    threading.Thread(target=_end_with_parent, daemon=True).start()

    import uvicorn
    from prefect.server.api.server import create_app

    server = uvicorn.Server(uvicorn.Config(create_app, factory=True, lifespan="on", log_level="error"))
    asyncio.run(server.serve(sockets=[listener]))


def listen(host: str, port: int) -> socket.socket:
    """Return a socket at an address; a port that a server has just left is free at once.

    Raises:
        OSError: If the address is taken, or not one of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener


def _end_with_parent() -> None:
    """Wait until the parent closes the pipe or is gone; SQLite's journal makes an end at any moment safe."""
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    host, port = sys.argv[1:] or (HOST, "0")
    serve(host, int(port))
