"""python -m simulators.identity_service --dir DIR --port 8091"""

import argparse
from contextlib import suppress
from pathlib import Path

from simulators.common.pages import listen, take_port
from simulators.identity_service.app import create_app
from simulators.identity_service.id_tokens import Signer
from simulators.identity_service.registration import register, write_settings

DEFAULT_REDIRECT = "http://exempelbanken.localhost:8080/staff/callback"


def main() -> None:
    parser = argparse.ArgumentParser(prog="simulators.identity_service", description=__doc__)
    parser.add_argument("--dir", type=Path, required=True, help="keys, client registration and settings.toml")
    parser.add_argument("--port", type=int, default=8091, help="0 takes a free one")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--public-url", help="its origin as others see it; http://localhost:PORT otherwise")
    parser.add_argument("--redirect-uri", action="append", help=f"may come again; {DEFAULT_REDIRECT}")
    parser.add_argument("--algorithm", choices=("ES256", "RS256"), default="ES256")
    chosen = parser.parse_args()

    client = register(chosen.dir, frozenset(chosen.redirect_uri or [DEFAULT_REDIRECT]))
    signer = Signer(chosen.dir, chosen.algorithm)
    port = take_port(chosen.host, chosen.port)  # first, since the issuer names it
    issuer = (chosen.public_url or f"http://localhost:{port.getsockname()[1]}").rstrip("/")
    server = listen(create_app(issuer=issuer, client=client, signer=signer), port)
    write_settings(chosen.dir, issuer)
    print(f"issuer {issuer}")
    print("ready", flush=True)
    with suppress(KeyboardInterrupt):
        server.serve_forever()


if __name__ == "__main__":
    main()
