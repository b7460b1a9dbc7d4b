"""The page where whoever runs the bank's systems fetches the patterns and reads how to place them."""

import re
from collections.abc import Sequence

from sidecar.plugin_api import (
    CANARY_CELL_PX,
    CANARY_COLUMNS,
    CANARY_DARK,
    CANARY_LIGHT,
    DeskSection,
    NotFoundError,
    PluginRequest,
    PluginResponse,
    Route,
    canary_css,
    canary_png,
    canary_svg,
)
from tillit_share_firewall.settings import FirewallSettings

RIGHT = "read_rules"
_FILE = re.compile(r"canary-([0-9]{1,5})(?:-(light|dark)\.(svg|png)|\.(css))")
_SHADES = {"light": CANARY_LIGHT, "dark": CANARY_DARK}


class Desk:
    """Routes for staff."""

    def __init__(self, settings: FirewallSettings) -> None:
        self._systems = settings.systems

    def routes(self) -> Sequence[Route]:
        return (
            Route("GET", "canaries", "staff", self.page, permission=RIGHT),
            Route("GET", "canaries/<file>", "staff", self.file, permission=RIGHT),
        )

    def sections(self) -> Sequence[DeskSection]:
        return (DeskSection("canaries", "share_firewall.desk.title", "menu", path="canaries", right=RIGHT),)

    def page(self, request: PluginRequest) -> PluginResponse:
        rows = [
            {"name": name, "number": number, "files": [f"canary-{number}-{end}" for end in _ENDS], "css": _css(number)}
            for number, name in self._systems.items()
        ]
        return PluginResponse(
            page="share_firewall/canaries.html",
            context={"rows": rows, "width_px": CANARY_COLUMNS * CANARY_CELL_PX, "height_px": 2 * CANARY_CELL_PX},
        )

    def file(self, request: PluginRequest) -> PluginResponse:
        """Serve one file of a system that is named in the settings. Raises NotFoundError."""
        asked = _FILE.fullmatch(request.path["file"])
        number = int(asked[1]) if asked else 0
        if asked is None or number not in self._systems:
            raise NotFoundError("No system in the settings has this canary.")
        if asked[4]:
            return PluginResponse(data=canary_css(number).encode(), media_type="text/css; charset=utf-8")
        shades = _SHADES[asked[2]]
        if asked[3] == "png":
            return PluginResponse(data=canary_png(number, shades), media_type="image/png")
        return PluginResponse(data=canary_svg(number, shades).encode(), media_type="image/svg+xml")


_ENDS = ("light.svg", "dark.svg", "light.png", "dark.png")


def _css(number: int) -> str:
    return f"canary-{number}.css"
