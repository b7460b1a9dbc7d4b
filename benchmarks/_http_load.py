"""Drives one HTTP server over keep-alive connections from a single thread, with ready-made requests."""

import json
import os
import selectors
import socket
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

_ANSWER_BYTES = 65_536


class BadAnswerError(Exception):
    """The server answered something else than 200."""


@dataclass
class Measured:
    """What one run saw. took_s: from when each request was due to its whole answer. last: the last body."""

    seconds: float
    took_s: list[float] = field(default_factory=list)
    last: bytes = b""

    @property
    def per_second(self) -> float:
        return len(self.took_s) / self.seconds


class _Connection:
    """One keep-alive connection with at most one request under way."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.due = 0.0
        self.seen = b""

    def send(self, request: bytes, due: float) -> None:
        self.due = due
        self.seen = b""
        self.socket.sendall(request)  # a request is far smaller than the socket's buffer

    def read(self) -> bytes | None:
        """Return the body once it is whole, else None. Raises BadAnswerError."""
        data = self.socket.recv(_ANSWER_BYTES)
        if not data:
            raise BadAnswerError("the server closed a connection")
        self.seen += data
        head, separator, body = self.seen.partition(b"\r\n\r\n")
        if not separator:
            return None
        start = head.lower().find(b"content-length:") + len(b"content-length:")
        length = int(head[start : head.find(b"\r\n", start) if b"\r\n" in head[start:] else None])
        if len(body) < length:
            return None
        if not head.startswith((b"HTTP/1.1 200", b"HTTP/1.1 201")):
            raise BadAnswerError(f"{head.splitlines()[0].decode()} {body[:300].decode(errors='replace')}")
        return body


def post(path: str, *, host: str, cookie: str = "", csrf: str = "") -> bytes:
    """Return a POST with an empty JSON object, as our pages send it."""
    lines = [
        f"POST {path} HTTP/1.1",
        f"Host: {host}",
        "Content-Type: application/json",
        "Accept: application/json",
        "Accept-Language: sv-SE,sv;q=0.9",
        "Content-Length: 2",
    ]
    if cookie:
        lines += [f"Cookie: tillit_visit={cookie}", f"X-Tillit-CSRF: {csrf}"]
    return ("\r\n".join(lines) + "\r\n\r\n{}").encode()


def drive(
    port: int, requests: Sequence[bytes], *, connections: int, seconds: float, per_second: float | None = None
) -> Measured:
    """Send requests in turn for so long, and return what was seen.

    per_second: None sends the next request as soon as an answer is there (how much the server can take).
    With a number, requests are due at even steps whatever the server does, and a late one counts its wait
    from when it was due, so that a stall is not measured once only.
    """
    selector = selectors.DefaultSelector()
    idle = deque(_Connection(("127.0.0.1", port)) for _ in range(connections))
    for each in idle:
        selector.register(each.socket, selectors.EVENT_READ, each)
    everyone = list(idle)
    began = time.perf_counter()
    ends = began + seconds
    seen = Measured(seconds)
    sent = 0
    try:
        while True:
            now = time.perf_counter()
            while idle and now < ends:
                due = now if per_second is None else began + sent / per_second
                if due > now or due >= ends:
                    break
                idle.popleft().send(requests[sent % len(requests)], due)
                sent += 1
            if now >= ends and len(idle) == connections:
                break
            wait = 1.0
            if per_second is not None and idle and now < ends:
                wait = max(0.0, min(began + sent / per_second, ends) - now)
            for key, _ in selector.select(wait):
                connection: _Connection = key.data
                body = connection.read()
                if body is None:
                    continue
                done = time.perf_counter()
                if done <= ends or per_second is not None:
                    seen.took_s.append(done - connection.due)
                seen.last = body
                idle.append(connection)
            if time.perf_counter() > ends + 10:
                raise BadAnswerError("answers are still missing 10 s after the end")
    finally:
        selector.close()
        for each in everyone:
            each.socket.close()
    return seen


@dataclass(frozen=True)
class Answered:
    """One answer. took_s: from when the request was due, or sent where nothing says when, to its whole answer."""

    body: bytes
    took_s: float


def exchange(
    port: int, requests: Sequence[bytes], *, connections: int, per_second: float | None = None
) -> list[Answered]:
    """Send each request once, in order, and return the answers in the same order.

    per_second: requests are due at even steps from now; None sends the next as soon as a connection is free.
    Raises BadAnswerError for an answer that is neither 200 nor 201.
    """
    selector = selectors.DefaultSelector()
    everyone = [_Connection(("127.0.0.1", port)) for _ in range(connections)]
    for each in everyone:
        selector.register(each.socket, selectors.EVENT_READ, each)
    idle = deque(everyone)
    asked: dict[_Connection, int] = {}
    answers: list[Answered | None] = [None] * len(requests)
    began = time.perf_counter()
    sent = done = 0
    try:
        while done < len(requests):
            now = time.perf_counter()
            while idle and sent < len(requests):
                due = now if per_second is None else began + sent / per_second
                if due > now:
                    break
                connection = idle.popleft()
                connection.send(requests[sent], due)
                asked[connection] = sent
                sent += 1
            wait = 30.0
            if per_second is not None and idle and sent < len(requests):
                wait = max(0.0, began + sent / per_second - now)
            events = selector.select(wait)
            if not events and per_second is None:
                raise BadAnswerError("answers are still missing after 30 s")
            for key, _ in events:
                connection = key.data
                body = connection.read()
                if body is None:
                    continue
                answers[asked.pop(connection)] = Answered(body, time.perf_counter() - connection.due)
                done += 1
                idle.append(connection)
    finally:
        selector.close()
        for each in everyone:
            each.socket.close()
    return [each for each in answers if each is not None]


def answer_of(measured: Measured) -> dict[str, object]:
    """Return the last answer as JSON, to check that what was counted is what was asked for."""
    found: dict[str, object] = json.loads(measured.last)
    return found


def pin(*cores: int) -> None:
    """Keep this process on these cores, where the machine has them."""
    wanted = os.sched_getaffinity(0) & set(cores)
    if wanted:
        os.sched_setaffinity(0, wanted)
