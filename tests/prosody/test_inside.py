"""Jicofo's, the JVB's and the recorder's accounts: their passwords are of no use to who comes from outside."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.prosody.bosh_client import BoshClient
from tests.prosody.conftest import _runner
from tests.prosody.stand import AUTH, HOST, MUC, Stand, has_prosody, new_stand
from tests.prosody.xmpp_client import SASL, RefusedError, XmppClient

FAR = "far.test"
ACCOUNT = b"\0focus\0insecure"


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    if not has_prosody():
        pytest.skip("Prosody is not installed")
    open_to_all = 'authentication = "insecure"; insecure_open_authentication = "Yes please, I know what I\'m doing!"'
    made = new_stand(
        Path(tmp_path_factory.mktemp("inside")),
        replaced={'"websocket" }': '"websocket", "bosh", "tillit_inside" }'},
        more=f'tillit_inside_hosts = {{ "{AUTH}", "{FAR}" }}; consider_bosh_secure = true',
        extra=f'VirtualHost "{FAR}"\n  {open_to_all}\n  tillit_inside_addresses = {{ "192.0.2.0/24" }}\n',
    )
    yield made
    made.stop()
    made.sidecar.stop()


@pytest.mark.requirement("R216")
def test_an_account_with_a_password_is_refused_to_who_came_through_the_proxy(stand: Stand) -> None:
    """A stream names its host itself, so the address browsers use leads to Jicofo's account, an admin's, too."""

    async def test(stand: Stand) -> None:
        for outside in ("203.0.113.7", "172.30.231.1"):  # also where the proxy itself saw an inner address
            client = await XmppClient.open(stand.port, host=AUTH, via=outside)
            with pytest.raises(RefusedError, match="not-inside"):
                await client.log_in("PLAIN", ACCOUNT)
            auth = f"<auth xmlns='{SASL}' mechanism='PLAIN'>{base64.b64encode(ACCOUNT).decode()}</auth>"
            [answer] = await (await BoshClient.open(stand.port, AUTH, via=outside)).ask(auth)
            assert answer.findtext(f"{{{SASL}}}text") == "not-inside"
        assert "203.0.113" not in "".join(line for line in stand.log().splitlines() if "tillit" in line)

    _runner(stand)(test)


@pytest.mark.requirement("R216")
def test_an_account_with_a_password_is_refused_to_an_address_that_is_not_ours(stand: Stand) -> None:
    async def test(stand: Stand) -> None:
        client = await XmppClient.open(stand.port, host=FAR)  # from 127.0.0.1, which is far for this host
        with pytest.raises(RefusedError, match="not-inside"):
            await client.log_in("PLAIN", ACCOUNT)

    _runner(stand)(test)


def test_inside_jicofo_logs_in_and_from_outside_people_do(stand: Stand) -> None:
    async def test(stand: Stand) -> None:
        await stand.focus()
        query = {"token": stand.token("maja"), "room": "r7hq2m"}
        maja = await XmppClient.open(stand.port, host=HOST, query=query, via="203.0.113.7")
        stand.clients.append(maja)
        await maja.log_in()
        await maja.join(f"r7hq2m@{MUC}", "maja")

    _runner(stand)(test)
