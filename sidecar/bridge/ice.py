"""An ICE-lite agent: it answers connectivity checks and sends none.

The bridge has a known address, so the client alone finds the way to it and says which way it uses. A check
with our password registers the address it came from; a nominated one moves the participant there, which is
also how a client survives a change of network. Checks keep coming for as long as the client is alive: when
they stop, it is gone (RFC 7675 asks the same of full agents).

Source: RFC 8445 sections 2.5, 6.1.1 and 7.3; RFC 7675 section 5.1.
"""

import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING

from sidecar.bridge import stun
from sidecar.bridge.udp import DatagramBatch, PeerAddress, host_and_port

if TYPE_CHECKING:
    from sidecar.bridge.peer import Peer

_MAX_ADDRESSES = 16  # pairs one client may try: several networks, both families, some relays
_SILENT_S = 3.0  # no check on the chosen way for this long: a client behind a new NAT address, not nominating


class IceAgent:
    """One participant's credentials and the addresses that proved to know them.

    on_selected: called when the address to send to was chosen or has changed.
    """

    def __init__(self, peer: "Peer", remote_ufrag: str, on_selected: Callable[[], None]) -> None:
        self.peer = peer
        self.ufrag = secrets.token_hex(4)
        self.password = secrets.token_hex(16)
        self.username = f"{self.ufrag}:{remote_ufrag}"
        self.last_check_at = 0.0
        self._selected_check_at = 0.0
        self._key = self.password.encode()
        self._on_selected = on_selected
        self._proven: dict[tuple[int, bytes], tuple[DatagramBatch, PeerAddress]] = {}

    def check(
        self, request: stun.BindingRequest, *, name: bytes, batch: DatagramBatch, now: float
    ) -> tuple[bytes, PeerAddress] | None:
        """Return the answer to a check, or None when it does not know our password."""
        if request.username != self.username or not stun.integrity_holds(request, self._key):
            return None
        address = self._prove(name, batch)
        if request.says_controlled:
            return stun.binding_role_conflict(request, self._key), address
        self.last_check_at = now
        peer = self.peer
        at_selected = peer.address is not None and peer.address.bytes == name and peer.batch is batch
        silent = now - self._selected_check_at > _SILENT_S
        if at_selected:
            self._selected_check_at = now
        elif request.use_candidate or peer.address is None or silent:
            self._selected_check_at = now
            peer.batch, peer.address = batch, address
            self._on_selected()
        host, port = host_and_port(name)
        return stun.binding_success(request, host, port, self._key), address

    def _prove(self, name: bytes, batch: DatagramBatch) -> PeerAddress:
        key = (batch.fd, name)
        known = self._proven.get(key)
        if known is None:
            if len(self._proven) >= _MAX_ADDRESSES:
                self._forget(next(k for k, (_, a) in self._proven.items() if a is not self.peer.address))
            known = self._proven[key] = (batch, PeerAddress(name))
        # Also when known: after a NAT gave the address to another participant, the newest proof counts.
        batch.peers[name] = self.peer
        return known[1]

    def _forget(self, key: tuple[int, bytes]) -> None:
        batch, address = self._proven.pop(key)
        if batch.peers.get(address.bytes) is self.peer:
            del batch.peers[address.bytes]

    def close(self) -> None:
        """Take no more datagrams from any of the addresses."""
        for key in list(self._proven):
            self._forget(key)


def answer(
    agents: dict[str, IceAgent], datagram: bytes, *, name: bytes, batch: DatagramBatch, now: float
) -> tuple[bytes, PeerAddress] | None:
    """Return what to send back for a STUN datagram. None, and silence, for whoever has no password of ours."""
    request = stun.parse_binding_request(datagram)
    if request is None:
        return None
    agent = agents.get(request.username.partition(":")[0])
    return None if agent is None else agent.check(request, name=name, batch=batch, now=now)
