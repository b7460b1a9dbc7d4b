"""python -m simulators.clamd --port 3310 [--socket PATH] [--fault silent|garbage|cut]"""

import argparse
import os
import signal
import socketserver
import struct
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

# The EICAR test file, in two parts so that no scanner takes this source for it. Source: eicar.org, 2003.
EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-" + b"ANTIVIRUS-TEST-FILE!$H+H*"
NAME = "Eicar-Test-Signature"
_MOST = 64 * 1024 * 1024  # StreamMaxLength


class Session(socketserver.StreamRequestHandler):
    """One connection, one command: zPING, zVERSION or zINSTREAM, as clamd(8) describes them."""

    timeout = 30
    fault = ""

    def handle(self) -> None:
        command = self._until_null()
        if command == b"zPING":
            self._say("PONG")
        elif command == b"zVERSION":
            self._say("ClamAV 1.4.2/27500/stand-in")
        elif command == b"zINSTREAM":
            self._scan()
        else:
            self._say("UNKNOWN COMMAND")

    def _scan(self) -> None:
        data = bytearray()
        while size := struct.unpack(">I", self.rfile.read(4).ljust(4, b"\x00"))[0]:
            if size + len(data) > _MOST:
                self._say("INSTREAM size limit exceeded. ERROR")
                return
            data += self.rfile.read(size)
        self._say(f"stream: {NAME} FOUND" if EICAR in data else "stream: OK")

    def _until_null(self) -> bytes:
        found = bytearray()
        while (sign := self.rfile.read(1)) not in (b"", b"\x00") and len(found) < 64:
            found += sign
        return bytes(found)

    def _say(self, words: str) -> None:
        if self.fault == "silent":
            time.sleep(30)
        elif self.fault == "garbage":
            self.wfile.write(b"stream: perhaps\x00")
        elif self.fault != "cut":
            self.wfile.write(words.encode() + b"\x00")


class Tcp(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


class Unix(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


def main(given: Iterable[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="simulators.clamd", description=__doc__)
    parser.add_argument("--port", type=int, default=3310, help="0 takes a free one")
    parser.add_argument("--socket", type=Path, help="a Unix socket in place of the port")
    parser.add_argument("--fault", choices=("silent", "garbage", "cut"), default="")
    parser.add_argument("--host", default="127.0.0.1")
    chosen = parser.parse_args(None if given is None else list(given))
    Session.fault = chosen.fault
    signal.signal(signal.SIGTERM, lambda number, frame: os._exit(0))
    server: socketserver.BaseServer
    if chosen.socket is not None:
        chosen.socket.unlink(missing_ok=True)
        server = Unix(str(chosen.socket), Session)
        print(f"clamd unix:{chosen.socket}")
    else:
        server = Tcp((chosen.host, chosen.port), Session)
        print(f"clamd tcp:{chosen.host}:{server.server_address[1]}")
    print("ready", flush=True)
    with server, suppress(KeyboardInterrupt):
        server.serve_forever()


if __name__ == "__main__":
    main()
