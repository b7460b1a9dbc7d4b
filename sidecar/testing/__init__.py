"""The product in one process, for tests: ours, and those of whoever writes a plugin.

Everything is real but the far ends: settings from a file, SQLite stores, policy, sessions, the Flask
application. Made up are the eID, the ways to reach people, the bank's identity service, the media bridge and
the time.

    product = Product(tmp_path)
    meeting = product.book(guests=[guest(SAMIR)])
    maja = product.arrives(product.place_of(meeting, Capacity.CUSTOMER))
    maja.identifies(MAJA)
    elin = product.signs_in(ELIN)

A plugin's author puts the plugin in place of a stand-in, `Product(tmp_path, methods=[MyMethod(...)])`, or loads
it as it will be loaded, beside the stand-ins, `Product(tmp_path, with_plugins=["document_room"])`, or alone,
`Product(tmp_path, plugins=PluginManager.load(...))`. Persons are invented.
"""

from sidecar.testing.far_ends import (
    FakeChannel,
    FakeCode,
    FakeConference,
    FakeEid,
    FakeIdentityService,
    StubPlugins,
)
from sidecar.testing.people import (
    AGNES,
    BERIT,
    COLM,
    ELIN,
    FRIDA,
    MAJA,
    NOON,
    SAMIR,
    SIV,
    TURE,
    YLVA,
    Clock,
    Invented,
    guest,
)
from sidecar.testing.plugin_site import PluginSite
from sidecar.testing.product import APPROVALS, ORIGIN, SDP, Browser, Product, shipped_policy

__all__ = [
    "AGNES",
    "APPROVALS",
    "BERIT",
    "COLM",
    "ELIN",
    "FRIDA",
    "MAJA",
    "NOON",
    "ORIGIN",
    "SAMIR",
    "SDP",
    "SIV",
    "TURE",
    "YLVA",
    "Browser",
    "Clock",
    "FakeChannel",
    "FakeCode",
    "FakeConference",
    "FakeEid",
    "FakeIdentityService",
    "Invented",
    "PluginSite",
    "Product",
    "StubPlugins",
    "guest",
    "shipped_policy",
]
