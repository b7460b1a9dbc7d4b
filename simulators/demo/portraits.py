"""Drawn people in front of the camera: short films that Chromium plays instead of its test pattern."""

from pathlib import Path

from playwright.sync_api import Browser

PORTRAITS = Path(__file__).parent / "guide" / "static"
SIZE = {"width": 960, "height": 540}
_FRAMES = 24  # played in a loop: a head that sways a little, so that frames differ and codecs have work
_SWAY = (0, 1, 3, 5, 6, 6, 5, 3, 1, 0, -1, -3, -5, -6, -6, -5, -3, -1)
# A portrait is square; the camera's picture is wide: the wall goes on behind the shoulders.
_FRAME_THE_FACE = """() => {
    const drawing = document.querySelector("svg");
    drawing.setAttribute("viewBox", "-37 -6 170 96");
    document.body.style.background = drawing.querySelector("rect").getAttribute("fill");
}"""


def film(browser: Browser, name: str, folder: Path) -> Path:
    """Make the film of a person with a portrait (elin, maja, samir) and return its path, MJPEG."""
    path = folder / f"{name}.mjpeg"
    page = browser.new_page(viewport=SIZE)  # type: ignore[arg-type]  # Playwright's own TypedDict has these two keys
    drawn = (PORTRAITS / f"{name}.svg").read_text()
    page.set_content(
        f"<style>body{{margin:0;overflow:hidden}}svg{{width:100vw;height:100vh;overflow:visible}}</style>{drawn}"
    )
    page.evaluate(_FRAME_THE_FACE)
    with path.open("wb") as out:
        for frame in range(_FRAMES):
            shift = _SWAY[frame % len(_SWAY)]
            page.evaluate("shift => { document.querySelector('svg').style.translate = `${shift}px 0`; }", shift)
            out.write(page.screenshot(type="jpeg", quality=80))
    page.close()
    return path
