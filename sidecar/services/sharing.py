"""What several web processes must know together: which commands were used, whose turn it is, that there is news."""

from typing import Protocol

from sidecar.domain.control_tokens import SpentIds


class News(Protocol):
    """One listener's line."""

    def wait(self) -> None:
        """Return when something may have been announced since the last call; at once the first time.

        May return for nothing, and does so where news cannot reach us: whoever waits looks for itself.
        """

    def close(self) -> None: ...


class SharedState(Protocol):
    """Adapters: adapters.process_state.ProcessState, adapters.redis_state.RedisState."""

    @property
    def control_ids(self) -> SpentIds:
        """Ids of control tokens. Spending one raises StoreUnavailableError where nobody can say whether it was used."""

    def tell_news(self) -> None:
        """Wake every listener, in every process. Never raises: who is not woken looks a moment later."""

    def news(self) -> News: ...

    def take_turn(self, place: str, *, longest_wait_s: float) -> str | None:
        """Wait for a place's turn and return what gives it back; None where it did not come in time.

        Where nobody can tell whose turn it is, the turn is ours: an empty text.
        """

    def give_turn_back(self, place: str, turn: str) -> None:
        """Never raises."""

    def is_healthy(self) -> bool: ...
