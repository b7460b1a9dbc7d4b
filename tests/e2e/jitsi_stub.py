"""Jitsi Meet as far as our page sees it: a process of its own that serves external_api.js and what it frames.

Run by hand: python tests/e2e/jitsi_stub.py [port].
"""

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HERE = Path(__file__).parent / "jitsi_meet"
_FILES = {"/external_api.js": "text/javascript", "/meet.js": "text/javascript"}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        name, kind = (path, _FILES[path]) if path in _FILES else ("/meet.html", "text/html; charset=utf-8")
        body = (HERE / name.removeprefix("/")).read_bytes()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


def main() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
