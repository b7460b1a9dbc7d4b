"""A small client over BOSH (XEP-0206): what it sends is one request, what it is told the answer to one."""

import asyncio
import itertools
import random
from typing import Self
from xml.etree import ElementTree as ET

import requests

from tests.prosody.xmpp_client import PATIENCE_S, Element

BOSH, XBOSH = "http://jabber.org/protocol/httpbind", "urn:xmpp:xbosh"


class BoshClient:
    """One session. Stanzas it got and nobody waited for are in `inbox`."""

    def __init__(self, port: int, host: str, *, via: str = "") -> None:
        self._url, self.host = f"http://127.0.0.1:{port}/http-bind", host
        self._headers = {"Content-Type": "text/xml", "Host": host} | ({"X-Forwarded-For": via} if via else {})
        self._rids = itertools.count(random.randrange(1 << 30))
        self._sid = ""
        self.inbox: list[Element] = []
        self.ended = False

    async def _post(self, inside: str, attributes: str, query: dict[str, str] | None = None) -> list[Element]:
        sid = f" sid='{self._sid}'" if self._sid else ""
        body = f"<body rid='{next(self._rids)}'{sid} xmlns='{BOSH}' xmlns:xmpp='{XBOSH}' {attributes}>{inside}</body>"
        answer = await asyncio.to_thread(
            requests.post, self._url, data=body, params=query, headers=self._headers, timeout=PATIENCE_S
        )
        said = ET.fromstring(answer.text)
        self._sid = said.get("sid") or self._sid
        self.ended = self.ended or said.get("type") == "terminate"
        return list(said)

    @classmethod
    async def open(cls, port: int, host: str, *, query: dict[str, str] | None = None, via: str = "") -> Self:
        self = cls(port, host, via=via)
        await self._post("", f"to='{host}' wait='2' hold='1' ver='1.6' xmpp:version='1.0'", query)
        return self

    async def ask(self, xml: str, attributes: str = "") -> list[Element]:
        """Send this and return what the server says next. Empty where nothing came within two seconds."""
        return await self._post(xml, attributes)

    async def wait_for(self, xml: str, stanza_id: str) -> Element:
        """Send this and return the stanza with this id, however many answers later. Raises TimeoutError."""
        async with asyncio.timeout(PATIENCE_S):
            self.inbox += await self.ask(xml)
            while True:
                found = next((each for each in self.inbox if each.get("id") == stanza_id), None)
                if found is not None:
                    self.inbox.remove(found)
                    return found
                assert not self.ended, "the server ended the session"
                self.inbox += await self.ask("")
