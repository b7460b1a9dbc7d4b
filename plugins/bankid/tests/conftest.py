"""A real simulator over real mutual TLS for every test here, and a clock the two share."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sidecar.plugin_api import IdentityMethod, PluginContext, SignInRequest, SignInStep
from simulators.bankid.remote import RemoteBankId
from tillit_bankid import load
from tillit_bankid.state import SignIn


class SharedClock:
    """A clock that stands still until a test lets time pass, here and in the simulator."""

    def __init__(self, bankid: RemoteBankId) -> None:
        self._bankid = bankid
        self.now = datetime.fromtimestamp(bankid.phone("clock", seconds=0, stands_still=True)["now"], UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self._bankid.phone("clock", seconds=seconds)


class Visit:
    """One person's sign-in as the web process sees it: it keeps the state and asks again."""

    def __init__(self, method: IdentityMethod, request: SignInRequest, clock: SharedClock) -> None:
        self.method, self.request, self._clock = method, request, clock
        self.step = method.start(request)

    @property
    def sign_in(self) -> SignIn:
        return SignIn.from_state(self.step.state)

    def poll(self, *, after: float = 2.0) -> SignInStep:
        self._clock.advance(after)
        self.step = self.method.poll(self.request, self.step.state)
        return self.step

    def submit(self, nonce: str, **changed: Any) -> SignInStep:
        self.step = self.method.submit(replace(self.request, **changed), self.step.state, {"nonce": nonce})
        return self.step


REQUEST = SignInRequest(
    meeting="m_23456789abcdefghjkmn",
    participant="p_23456789abcdefghjkmn",
    brand_name="Exempelbanken",
    purpose="Jag legitimerar mig för mitt möte med Elin Sjöhage 24 november kl. 14.00.",
    language="sv",
    end_user_ip="192.0.2.7",
    user_agent="Mozilla/5.0 (X11; Linux x86_64)",
    referring_domain="exempelbanken.localhost:8080",
    device="ab" * 32,
    same_device=False,
    return_url="http://exempelbanken.localhost:8080/v/p_2/identify?lang=sv",
)


@pytest.fixture(scope="session")
def _running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RemoteBankId]:
    bankid = RemoteBankId.launch(tmp_path_factory.mktemp("bankid"))
    yield bankid
    bankid.stop()


@pytest.fixture
def bankid(_running: RemoteBankId) -> Iterator[RemoteBankId]:
    """The simulator with every fault switched off and no order open."""
    _running.phone("faults", reset=True)
    _running.phone("forget")
    yield _running
    _running.phone("faults", reset=True)


@pytest.fixture
def clock(bankid: RemoteBankId) -> SharedClock:
    return SharedClock(bankid)


@pytest.fixture
def make_method(bankid: RemoteBankId, clock: SharedClock) -> Callable[..., IdentityMethod]:
    """Return a function that loads the plugin, with settings changed, and returns its method."""

    def make(**settings: Any) -> IdentityMethod:
        context = PluginContext(
            name="bankid",
            settings=bankid.plugin_settings(**settings),
            clock=clock,
            secret=lambda purpose: bytes(32),
        )
        (method,) = load(context).provide_identity_methods()
        return method

    return make


@pytest.fixture
def method(make_method: Callable[..., IdentityMethod]) -> IdentityMethod:
    return make_method()


@pytest.fixture
def visit(method: IdentityMethod, clock: SharedClock) -> Callable[..., Visit]:
    """Return a function that starts a sign-in, its request changed as named."""
    return lambda **changed: Visit(method, replace(REQUEST, **changed), clock)


@pytest.fixture
def scanned(visit: Callable[..., Visit], bankid: RemoteBankId) -> Callable[..., Visit]:
    """Return a function that starts a sign-in and lets a phone scan its code."""

    def make(person: str | None = "maja", **changed: Any) -> Visit:
        started = visit(**changed)
        bankid.phone("scan", qr=bankid.orders()[0]["qr"], person=person)
        return started

    return make


@pytest.fixture
def newest(bankid: RemoteBankId) -> Callable[[], str]:
    """Return a function that names the newest order on the phone."""
    return lambda: str(bankid.orders()[0]["order"])
