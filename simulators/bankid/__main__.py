"""Starts both servers, says "ready", and stops on SIGTERM or SIGINT."""

import argparse
import json
import signal
import threading
from pathlib import Path

from simulators.bankid.certificates import CertificateStore
from simulators.bankid.faults import Faults
from simulators.bankid.orders import Orders
from simulators.bankid.persons import DEFAULT_PERSONS, read_persons
from simulators.bankid.phone import create_phone
from simulators.bankid.rp_api import create_rp_api
from simulators.bankid.servers import plain_server, tls_server


def main() -> None:
    options = _options()
    options.dir.mkdir(parents=True, exist_ok=True)
    persons = read_persons(options.persons) if options.persons else DEFAULT_PERSONS
    certificates = CertificateStore.open(
        options.dir, persons=persons, hosts=[options.listen, *options.host], display_name=options.bank
    )
    faults = Faults()
    orders = Orders(certificates=certificates, persons=persons, faults=faults)
    api = tls_server(create_rp_api(orders, faults, certificates), options.listen, options.port, certificates)
    phone = plain_server(create_phone(orders, faults, persons), options.listen, options.phone_port)
    _write_ports(options.dir, api.port, phone.port)

    threads = [threading.Thread(target=server.serve_forever, daemon=True) for server in (api, phone)]
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    for thread in threads:
        thread.start()
    print("ready", flush=True)
    stop.wait()
    faults.reset()  # lets go of answers that are being held back
    for server in (api, phone):
        server.shutdown()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m simulators.bankid", description=__doc__)
    parser.add_argument("--dir", type=Path, required=True, help="keys and certificates, made on first start")
    parser.add_argument("--port", type=int, default=8443, help="the API, mutual TLS; 0 takes a free one")
    parser.add_argument("--phone-port", type=int, default=8090, help="the demo phone; 0 takes a free one")
    parser.add_argument("--listen", default="127.0.0.1", help="address of both")
    parser.add_argument("--host", action="append", default=[], help="a further name of the API's server")
    parser.add_argument("--persons", type=Path, help="persons.toml instead of the invented four")
    parser.add_argument("--bank", default="Exempelbanken", help="who the app says is asking")
    return parser.parse_args()


def _write_ports(directory: Path, api: int, phone: int) -> None:
    """With --port 0 this file is how others learn the ports."""
    (directory / "ports.json").write_text(json.dumps({"api": api, "phone": phone}), "utf-8")


if __name__ == "__main__":
    main()
