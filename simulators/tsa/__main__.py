"""Starts the authority, prints its address, says "ready", and stops on SIGTERM or SIGINT."""

import argparse
import signal
import threading
from pathlib import Path

from simulators.common.pages import listen, take_port
from simulators.tsa.app import create_app
from simulators.tsa.certificates import TrustService


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m simulators.tsa", description=__doc__)
    parser.add_argument("--dir", type=Path, required=True, help="keys and certificates, made on first start")
    parser.add_argument("--port", type=int, default=8095, help="0 takes a free one")
    parser.add_argument("--listen", default="127.0.0.1")
    parser.add_argument("--bank", default="Exempelbanken", help="whose seal is certified")
    options = parser.parse_args()
    service = TrustService.open(options.dir, bank=options.bank)
    taken = take_port(options.listen, options.port)
    server = listen(create_app(service), taken)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"tsa http://{options.listen}:{taken.getsockname()[1]}", flush=True)
    print("ready", flush=True)
    stop.wait()
    server.shutdown()


if __name__ == "__main__":
    main()
