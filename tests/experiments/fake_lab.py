"""A laboratory behind a web address, for tests: real HTTP on this machine, and every kind of bad day.

It makes an experiment when it takes an order whose idempotency key it does not know, and writes that down in `made`:
what a test counts. It may delay, fail, drop connections, forget what it called an experiment, die and come back.
"""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PATH = "/experiments"
DROP = 0  # in place of a status: the connection ends without an answer


@dataclass(frozen=True)
class Said:
    """One answer of a bad day.

    Attributes:
        status: Of the answer, or `DROP`.
        body: An object, or text that is no JSON.
        headers: Further headers.
        is_after: Whether the request is carried out before this is said.
    """

    status: int
    body: dict[str, Any] | str = ""
    headers: dict[str, str] = field(default_factory=dict)
    is_after: bool = False


@dataclass
class FakeLab:
    """The laboratory; the yield is half the temperature.

    Attributes:
        n_polls: Questions that it answers `running` before an experiment is completed.
        token: What it wants to see as bearer token; empty for nothing.
        posts: What it says to the next orders in place of what it should, first one first.
        gets: The same for questions.
        report: What a completed experiment's report is made of beside its outcome.
        on_request: Called with the method after a request was carried out and before it is answered.
        certificate: Certificate and key in one file; then it speaks TLS.
        made: Orders that were carried out.
        seen: Method, path and headers of all requests.
    """

    n_polls: int = 1
    token: str = ""
    posts: list[Said] = field(default_factory=list)
    gets: list[Said] = field(default_factory=list)
    report: dict[str, Any] = field(default_factory=dict)
    on_request: Callable[[str], None] = lambda method: None
    certificate: str = ""
    made: list[dict[str, Any]] = field(default_factory=list)
    seen: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    port: int = 0

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._orders: dict[str, dict[str, Any]] = {}  # by the idempotency key: kept when it dies
        self._called: dict[str, str] = {}  # keys by id: forgotten when it dies
        self._n_asked: dict[str, int] = {}

    @property
    def url(self) -> str:
        """Where experiments are submitted."""
        return f"{'https' if self.certificate else 'http'}://localhost:{self.port}{PATH}"

    @property
    def keys(self) -> list[str]:
        """Idempotency keys of all orders that came, in turn."""
        return [headers["idempotency-key"] for method, _, headers in self.seen if method == "POST"]

    def forget(self) -> None:
        """Forget what experiments are called; those that were made stay made."""
        self._called.clear()

    @contextmanager
    def opened(self) -> Iterator[FakeLab]:
        """Be there while the body runs; a second time at the same address."""
        server = ThreadingHTTPServer(("localhost", self.port), self._handler())
        if self.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        self.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

    def answer(self, method: str, path: str, headers: dict[str, str], body: str) -> Said:
        """Carry a request out and say what to answer."""
        with self._lock:
            self.seen.append((method, path, headers))
            script = self.posts if method == "POST" else self.gets
            scripted = script.pop(0) if script else None
            said = scripted if scripted and not scripted.is_after else self._work(method, path, headers, body)
        self.on_request(method)
        return scripted or said

    def _work(self, method: str, path: str, headers: dict[str, str], body: str) -> Said:
        if self.token and headers.get("authorization") != f"Bearer {self.token}":
            return Said(401, {"error": f"wrong token, got {headers.get('authorization')}"})
        if method == "POST" and path == PATH:
            return self._take(json.loads(body), headers["idempotency-key"])
        key = self._called.get(path.removeprefix(f"{PATH}/"))
        return Said(404, {"error": "unknown"}) if key is None else self._report(key)

    def _take(self, order: dict[str, Any], key: str) -> Said:
        if key not in self._orders:
            self._orders[key] = order
            self.made.append(order)
        name = f"x/{len(self.made)}-{len(self.seen)}"  # as hard to put into an address as ids may be
        self._called[name.replace("/", "%2F")] = key
        return Said(202, {"id": name, "status": "queued"})

    def _report(self, key: str) -> Said:
        self._n_asked[key] = self._n_asked.get(key, 0) + 1
        if self._n_asked[key] <= self.n_polls:
            return Said(200, {"status": "running", "outcomes": None})
        temperature = self._orders[key]["configuration"]["temperature"]
        return Said(200, {"status": "completed", "outcomes": {"yield": temperature / 2}, **self.report})

    def _handler(lab) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
                headers = {name.lower(): value for name, value in self.headers.items()}
                said = lab.answer(self.command, self.path, headers, body)
                if said.status == DROP:
                    return
                content = said.body if isinstance(said.body, str) else json.dumps(said.body)
                self.send_response(said.status)
                self.send_header("Content-Type", "text/html" if isinstance(said.body, str) else "application/json")
                for name, value in {"Content-Length": str(len(content)), **said.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content.encode())

            do_POST = do_GET

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        return Handler
