"""The bad network the other tests stand on: what it loses, delays, narrows and reorders is what it was asked for."""

import asyncio
import socket
import time
from itertools import groupby, pairwise

import pytest

from sidecar.bridge.testing import local_address
from sidecar.testing.bad_network import BadNetwork, Way, bad_network_thread

MEDIA = bytes([0x80]) + bytes(99)


def through(way: Way, count: int, *, every_s: float = 0.02, size_bytes: int = 100) -> list[float | None]:
    """Send packets at even steps from 0 on; return when each leaves, None for those that never do."""
    return [way.leaves_at(n * every_s, size_bytes) for n in range(count)]


def test_a_way_without_faults_passes_at_once() -> None:
    assert through(Way(), 3) == [0.0, 0.02, 0.04]


@pytest.mark.parametrize("burst", [1.0, 3.0])
def test_loses_the_share_it_was_asked_for_and_the_same_packets_in_each_run(burst: float) -> None:
    left = through(Way(loss=0.05, burst=burst), 40_000)
    assert left == through(Way(loss=0.05, burst=burst), 40_000)
    assert left != through(Way(loss=0.05, burst=burst, seed=9), 40_000)
    assert 0.045 < left.count(None) / len(left) < 0.055


@pytest.mark.parametrize(("burst", "least", "most"), [(1.0, 1.0, 1.15), (3.0, 2.7, 3.3)])
def test_losses_come_in_runs_as_long_as_asked_for(burst: float, least: float, most: float) -> None:
    lost = [at is None for at in through(Way(loss=0.05, burst=burst), 40_000)]
    runs = [len(list(run)) for is_lost, run in groupby(lost) if is_lost]
    assert least < sum(runs) / len(runs) < most


def test_delays_and_shakes_within_its_bounds_and_in_order() -> None:
    sent = [n * 0.02 for n in range(2000)]
    left = [at for at in through(Way(delay_s=0.08, jitter_s=0.03), len(sent)) if at is not None]
    waited = [at - since for at, since in zip(left, sent, strict=True)]
    assert 0.08 <= min(waited) < 0.082
    assert 0.108 < max(waited) <= 0.11
    assert all(first <= second for first, second in pairwise(left))


def test_a_share_of_packets_is_overtaken() -> None:
    left = [at for at in through(Way(reorder=0.02), 10_000) if at is not None]
    overtaken = sum(first > second for first, second in pairwise(left))
    assert 150 < overtaken < 250


def test_a_narrow_way_carries_its_rate_and_loses_what_its_queue_cannot_hold() -> None:
    way = Way(bits_per_second=150_000, queue_s=0.3)
    left = [at for at in through(way, 1000, every_s=0.002, size_bytes=1000) if at is not None]  # 4 Mbit/s offered
    steps = [second - first for first, second in pairwise(left)]
    assert all(abs(step - 1000 * 8 / 150_000) < 1e-6 for step in steps)
    assert way.crowded_out == 1000 - len(left) > 900
    assert max(at - n * 0.002 for n, at in enumerate(left)) < 2.5  # nobody waits for ever


def test_a_way_within_its_rate_adds_nothing_but_the_sending_itself() -> None:
    way = Way(bits_per_second=1_000_000)
    assert all(at - n * 0.02 == pytest.approx(0.0008) for n, at in enumerate(through(way, 100)) if at is not None)
    assert way.crowded_out == 0


def test_a_way_can_change_while_packets_flow() -> None:
    way = Way(bits_per_second=100_000)
    assert way.leaves_at(0.0, 1250) == pytest.approx(0.1)
    way.bits_per_second, way.delay_s = 0, 0.05
    assert way.leaves_at(1.0, 1250) == pytest.approx(1.05)
    way.delay_s, way.loss = 0.0, 1.0
    assert way.leaves_at(2.0, 1250) is None
    assert way.leaves_at(2.0, 1250, may_be_lost=False) == 2.0


def test_the_relay_carries_packets_both_ways_after_its_delay_and_loses_media_only() -> None:
    near, far = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    for side in (near, far):
        side.bind((local_address(), 0))
        side.settimeout(60)
    answer = "v=0\r\nm=audio 9 X 0\r\na=candidate:1 1 udp 2113937151 192.0.2.1 5000 typ host\r\n"
    with bad_network_thread(far.getsockname(), up=Way(delay_s=0.08, loss=1.0), down=Way()) as network:
        address = _address(network.redirect(answer))
        near.sendto(MEDIA, address)
        took = []
        for _ in range(3):
            began = time.monotonic()
            near.sendto(b"\x16a handshake", address)
            data, relay = far.recvfrom(2000)
            took.append(time.monotonic() - began)
            assert data == b"\x16a handshake"
        assert 0.08 <= min(took) < 2
        far.sendto(MEDIA, relay)
        assert near.recvfrom(2000) == (MEDIA, address)
        assert (network.up.lost, network.up.passed, network.down.passed) == (1, 3, 1)
    near.close()
    far.close()


def test_two_clients_meet_over_the_relay_and_see_only_it() -> None:
    async def story() -> None:
        network = BadNetwork()
        offer = (
            "v=0\r\nm=audio 9 X 0\r\na=candidate:7 1 udp 2113937151 198.51.100.1 5000 typ host generation 0\r\n"
            "a=candidate:8 1 udp 2113937150 198.51.100.2 5001 typ host\r\n"
            "a=candidate:9 1 tcp 1518280447 198.51.100.1 9 typ host tcptype active\r\nm=video 9 X 0\r\n"
        )
        for told in (network.redirect(offer), network.redirect_near(offer)):
            assert told.count("a=candidate:") == 1
            assert "198.51." not in told
        assert _address(network.redirect(offer)) != _address(network.redirect_near(offer))
        network.close()

    asyncio.run(story())


def _address(description: str) -> tuple[str, int]:
    words = next(line for line in description.splitlines() if line.startswith("a=candidate:")).split(" ")
    return words[4], int(words[5])
