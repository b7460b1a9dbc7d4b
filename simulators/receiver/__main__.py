"""python -m simulators.receiver --dir DIR --port 8094"""

import argparse
from contextlib import suppress
from pathlib import Path

from simulators.common.files import keep_secret, write_private
from simulators.common.pages import listen, take_port
from simulators.receiver.app import create_app
from simulators.receiver.inbox import WINDOW_SECONDS, Inbox

SYSTEMS = ("loan_system", "payments", "insurer", "compliance", "ticket_system")


def main() -> None:
    parser = argparse.ArgumentParser(prog="simulators.receiver", description=__doc__)
    parser.add_argument("--dir", type=Path, required=True, help="the shared secret and settings.toml")
    parser.add_argument("--port", type=int, default=8094, help="0 takes a free one")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--window", type=int, default=WINDOW_SECONDS, help="seconds a delivery may be old or early")
    chosen = parser.parse_args()
    folder: Path = chosen.dir
    folder.mkdir(parents=True, exist_ok=True)
    inbox = Inbox(keep_secret(folder / "receiver-secret").encode(), window=chosen.window)
    port = take_port(chosen.host, chosen.port)
    server = listen(create_app(inbox), port)
    base = f"http://localhost:{port.getsockname()[1]}"
    write_private(folder / "settings.toml", settings_for(folder.resolve(), base).encode())
    print(f"page {base}/")
    print("ready", flush=True)
    with suppress(KeyboardInterrupt):
        server.serve_forever()


def settings_for(folder: Path, base: str) -> str:
    """Return the tables of the forms' receivers that fit this port and secret."""
    tables = [
        f'[plugins.forms.receivers.{name}]\nurl = "{base}/hooks/{name}"\nsecret_file = "{folder / "receiver-secret"}"\n'
        for name in SYSTEMS
    ]
    return "# The bank's systems, played by simulators.receiver.\n" + "\n".join(tables)


if __name__ == "__main__":
    main()
