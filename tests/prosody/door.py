"""The sidecar as Prosody asks it at the door: it says what a test lets it say."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PATH = "/internal/prosody/admissions"
HOUR = 3600


class Door:
    """What the sidecar would say. answer: status and body, or a number of seconds to say nothing."""

    def __init__(self) -> None:
        self.answer: tuple[int, bytes] | float = (500, b"")
        self.asked: list[tuple[str, bytes]] = []
        self.may_answer = threading.Event()
        self.may_answer.set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.asked.append((self.headers.get("Authorization", ""), body))
                outer.may_answer.wait(10)
                if isinstance(outer.answer, float):
                    time.sleep(outer.answer)
                    return
                status, said = outer.answer
                self.send_response(status)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}{PATH}"

    def says(self, **said: Any) -> None:
        self.answer = (200, json.dumps(said).encode())

    def admits(self, *permissions: str, seconds: float = HOUR) -> None:
        self.says(admitted=True, permissions=list(permissions), session_until=int(time.time() + seconds))
