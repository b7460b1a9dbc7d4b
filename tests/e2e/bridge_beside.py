"""A product served over HTTP from here, with our own bridge as a process beside it."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable

from werkzeug.serving import make_server

from sidecar.adapters.bridge import BridgeConference
from sidecar.adapters.control_client import ControlClient
from sidecar.bridge.testing import local_address
from sidecar.domain import clock
from sidecar.testing import Product
from tests.servers.ports import free_port


def until_true(condition: Callable[[], object], *, within_s: float = 60) -> None:
    """Return as soon as the condition holds, or raise AssertionError: for what the product's processes tell later."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


class BridgeBeside:
    """Both, running until `close`. conference: for the parts of the product that are to speak to this bridge."""

    def __init__(self, product: Product, *more: str) -> None:
        """more: further arguments of the bridge."""
        self._server = make_server("127.0.0.1", 0, product.app, threaded=True)
        self.url = f"http://localhost:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        services, port = product.services, free_port()
        settings = services.settings
        self.process = subprocess.Popen(
            [
                sys.executable, "-m", "sidecar.bridge", "--listen", f"127.0.0.1:{port}",
                "--media", f"{local_address()}:0", "--keys", str(settings.keys.directory),
                "--join-issuer", settings.tokens.issuer, "--join-audience", settings.tokens.audience,
                "--control-issuer", settings.bridge.events_audience,
                "--events-url", f"http://127.0.0.1:{self._server.server_port}/internal/bridge/events",
                *more,
            ],
            stdout=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        assert "listens" in self.process.stdout.readline()
        self.conference = BridgeConference(
            ControlClient(
                url=f"http://127.0.0.1:{port}",
                issuer=settings.bridge.events_audience,
                audience=settings.bridge.audience,
                control_key=lambda: services.ring.signing_key("control"),
                clock=clock.utc_now,
            )
        )

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(10)
        self._server.shutdown()
