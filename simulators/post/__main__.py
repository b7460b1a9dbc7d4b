"""python -m simulators.post --dir DIR --smtp-port 8025 --sms-port 8026 --page-port 8092"""

import argparse
import asyncio
import ssl
import threading
from contextlib import suppress
from pathlib import Path

from simulators.common.files import keep_secret, write_private
from simulators.common.pages import listen, take_port
from simulators.post.answers import Answers
from simulators.post.certificate import keep_certificate
from simulators.post.faults import Faults
from simulators.post.gateways import create_gateways
from simulators.post.messages import Mailroom
from simulators.post.pages import create_pages
from simulators.post.people import read_people
from simulators.post.smtp import USER, Handler, smtp_factory


def main() -> None:
    parser = argparse.ArgumentParser(prog="simulators.post", description=__doc__)
    parser.add_argument("--dir", type=Path, required=True, help="secrets, certificate, settings.toml, persons.toml")
    parser.add_argument("--smtp-port", type=int, default=8025, help="0 takes a free one, here and below")
    parser.add_argument("--sms-port", type=int, default=8026, help="text messages and the bank's inbox")
    parser.add_argument("--page-port", type=int, default=8092)
    parser.add_argument("--host", default="127.0.0.1")
    chosen = parser.parse_args()
    folder: Path = chosen.dir
    folder.mkdir(parents=True, exist_ok=True)

    people, mailroom = read_people(folder / "persons.toml"), Mailroom()
    faults, answers = Faults(), Answers()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(*keep_certificate(folder))
    factory = smtp_factory(Handler(mailroom, people, faults), password=keep_secret(folder / "smtp-password"), tls=tls)
    gateways = create_gateways(
        mailroom,
        people,
        faults,
        answers,
        sms_token=keep_secret(folder / "sms-token"),
        inbox_key=keep_secret(folder / "inbox-key"),
    )
    smtp, sms, page = (take_port(chosen.host, port) for port in (chosen.smtp_port, chosen.sms_port, chosen.page_port))
    for app, port in ((gateways, sms), (create_pages(mailroom, people, faults, answers), page)):
        threading.Thread(target=listen(app, port).serve_forever, daemon=True).start()
    ports = {name: port.getsockname()[1] for name, port in (("smtp", smtp), ("sms", sms), ("page", page))}
    write_private(folder / "settings.toml", settings_for(folder.resolve(), ports).encode())
    print(f"smtp localhost:{ports['smtp']}")
    print(f"gateway http://localhost:{ports['sms']}")
    print(f"page http://localhost:{ports['page']}")

    async def serve() -> None:
        server = await asyncio.get_running_loop().create_server(factory, sock=smtp)
        print("ready", flush=True)
        await server.serve_forever()

    with suppress(KeyboardInterrupt):
        asyncio.run(serve())


def settings_for(folder: Path, ports: dict[str, int]) -> str:
    """Return the three plugin tables that fit these ports and secrets."""
    return f"""# The post, played by simulators.post.
[plugins.notify_smtp]
host = "localhost"
port = {ports["smtp"]}
security = "starttls"
ca_file = "{folder / "smtp-certificate.pem"}"
user = "{USER}"
password_file = "{folder / "smtp-password"}"
sender_address = "mote@exempelbanken.example"

[plugins.notify_sms]
url = "http://localhost:{ports["sms"]}/v1/sms"
token_file = "{folder / "sms-token"}"
sender = "Exempelbank"

[plugins.notify_inbox]
url = "http://localhost:{ports["sms"]}/v1/inbox"
key_file = "{folder / "inbox-key"}"
"""


if __name__ == "__main__":
    main()
