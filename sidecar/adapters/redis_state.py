"""Shared state for several web processes: in Redis, version 7 or newer.

Where Redis does not answer, single use fails closed, turns are kept within each process only, and who waits for
news looks for it as if there were no Redis. Nothing personal goes there: ids, and that there is news.
"""

import logging
import secrets
import time
from datetime import datetime
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from sidecar.adapters.process_state import LOOK_S
from sidecar.adapters.redis_address import RedisAddress
from sidecar.domain.errors import StoreUnavailableError

log = logging.getLogger("tillit.store")

_ANSWER_S = 1.0
_LISTEN_S = 5.0  # a look now and then, should a message ever be lost
_BREATH_S = 1.0  # after a failure nobody tries again for this long: threads are not to pile up
_TURN_S = 15.0  # a turn whose process died ends by itself
_LOOK_FOR_TURN_S = 0.02
_NEWS = "tillit:news"
_GIVE_BACK = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0"
_DOWN = (redis.RedisError, OSError)


class RedisState:
    """What every web process with this Redis knows."""

    def __init__(self, address: RedisAddress) -> None:
        self._client: Any = _client(address)  # the library's own types promise what no server sends
        self._down_until = 0.0
        self._is_down = False
        self.control_ids = _ControlIds(self)

    def tell_news(self) -> None:
        try:
            self.ask("PUBLISH", _NEWS, "1")
        except StoreUnavailableError:
            return  # told in the log; listeners look for themselves meanwhile

    def news(self) -> "_News":
        return _News(self._client)

    def take_turn(self, place: str, *, longest_wait_s: float) -> str | None:
        turn, until = secrets.token_hex(16), time.monotonic() + longest_wait_s
        try:
            while not self.ask("SET", _turn_key(place), turn, "NX", "PX", int(_TURN_S * 1000)):
                if time.monotonic() > until:
                    return None
                time.sleep(_LOOK_FOR_TURN_S)
        except StoreUnavailableError:
            return ""  # the session store still keeps a later answer from undoing an earlier one
        return turn

    def give_turn_back(self, place: str, turn: str) -> None:
        if not turn:
            return
        try:
            self.ask("EVAL", _GIVE_BACK, 1, _turn_key(place), turn)  # ours only: it may have ended and be another's
        except StoreUnavailableError:
            return  # it ends by itself

    def is_healthy(self) -> bool:
        try:
            return bool(self.ask("PING"))
        except StoreUnavailableError:
            return False

    def ask(self, *command: str | int) -> Any:
        """Send one command. Raises StoreUnavailableError."""
        if time.monotonic() < self._down_until:
            raise StoreUnavailableError("shared state: could not be reached a moment ago")
        try:
            answer = self._client.execute_command(*command)
        except _DOWN as error:
            self._down_until = time.monotonic() + _BREATH_S
            if not self._is_down:
                self._is_down = True
                log.error("shared state cannot be reached", extra={"reason": type(error).__name__})
            raise StoreUnavailableError(f"shared state: {type(error).__name__}") from error
        if self._is_down:
            self._is_down = False
            log.info("shared state is back")
        return answer


class _ControlIds:
    def __init__(self, state: RedisState) -> None:
        self._state = state

    def spend(self, jti: str, *, until: datetime, now: datetime) -> bool:
        left = max(1, int((until - now).total_seconds() * 1000))
        return bool(self._state.ask("SET", f"tillit:control:{jti}", 1, "NX", "PX", left))

    def forget(self, jti: str) -> None:
        _quietly(self._state, f"tillit:control:{jti}")


class _News:
    """A subscription, begun at the first wait and anew after each cut."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._line: Any = None
        self._try_at = 0.0

    def wait(self) -> None:
        try:
            if self._line is None:
                self._begin()  # and look at once: what was announced before it stood was told to nobody
                return
            if self._line.get_message(timeout=_LISTEN_S) is not None:
                while self._line.get_message(timeout=0) is not None:
                    pass  # many announcements, one look
        except _DOWN:
            self.close()
            time.sleep(LOOK_S)

    def close(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            try:
                line.close()
            except _DOWN:
                return

    def _begin(self) -> None:
        if time.monotonic() < self._try_at:
            time.sleep(LOOK_S)
            return
        self._try_at = time.monotonic() + _BREATH_S
        line = self._client.pubsub(ignore_subscribe_messages=True)
        try:
            line.subscribe(_NEWS)
            line.get_message(timeout=_ANSWER_S)  # the confirmation: from here on nothing is missed
        except BaseException:
            line.close()
            raise
        self._line = line


def _turn_key(place: str) -> str:
    return f"tillit:turn:{place}"


def _quietly(state: RedisState, key: str) -> None:
    try:
        state.ask("DEL", key)
    except StoreUnavailableError:
        return  # it ends by itself


def _client(address: RedisAddress) -> Any:
    options: dict[str, Any] = {}
    if address.tls:
        options = {"ssl": True, "ssl_check_hostname": True, "ssl_ca_certs": address.ca_file and str(address.ca_file)}
    return redis.Redis(
        host=address.host,
        port=address.port,
        db=address.number,
        credential_provider=_Credentials(address) if address.password_file else None,
        socket_timeout=_ANSWER_S,
        socket_connect_timeout=_ANSWER_S,
        # A command repeated by the library could find its own first try, and take it for somebody else's.
        retry=Retry(NoBackoff(), 0),
        **options,
    )


class _Credentials(redis.CredentialProvider):
    """The password as the file holds it at this moment, so that a new one needs no restart."""

    def __init__(self, address: RedisAddress) -> None:
        self._address = address

    def get_credentials(self) -> tuple[str] | tuple[str, str]:
        file = self._address.password_file
        password = file.read_text("utf-8").strip() if file else ""
        return (self._address.user, password) if self._address.user else (password,)
