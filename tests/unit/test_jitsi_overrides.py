"""Each override of the pinned Jitsi images is known to them, and departs from the default we think they have.

With JITSI_IMAGES_SOURCE naming a clone of jitsi/docker-jitsi-meet each name and default is looked up there, at the
pinned tag (or at JITSI_IMAGES_TAG, to try an upgrade). Without it only our own side is looked at.
"""

import os
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from sidecar.adapters.jitsi_config import IMAGES, read_overrides
from sidecar.domain.jitsi_page import CONFIG

ROOT = Path(__file__).parents[2]
SOURCE = os.environ.get("JITSI_IMAGES_SOURCE", "")
[TEMPLATES] = (ROOT / "jitsi-config").glob("stable-*")
OVERRIDES = read_overrides(TEMPLATES)
TAG = os.environ.get("JITSI_IMAGES_TAG", OVERRIDES["version"])
needs_source = pytest.mark.skipif(not SOURCE, reason="JITSI_IMAGES_SOURCE names no clone of jitsi/docker-jitsi-meet")


def variables() -> Iterator[Any]:
    if not SOURCE:
        yield pytest.param("", "", {}, id="no source")
        return
    for image in IMAGES:
        for name, override in OVERRIDES[image]["env"].items():
            yield pytest.param(override.get("source", OVERRIDES[image]["source"]), name, override, id=f"{image}-{name}")


def keys() -> Iterator[Any]:
    if not SOURCE:
        yield pytest.param("", "", {}, id="no source")
        return
    for image in ("jicofo", "jvb"):
        for name, override in OVERRIDES[image]["conf"].items():
            yield pytest.param(OVERRIDES[image]["source"], name, override, id=name)


@cache
def source(path: str) -> str:
    found = subprocess.run(["git", "-C", SOURCE, "show", f"{TAG}:{path}"], capture_output=True, text=True, timeout=120)
    assert found.returncode == 0, f"{path} is not in the images at {TAG}: {found.stderr}"
    return found.stdout


@needs_source
@pytest.mark.parametrize(("path", "name", "override"), list(variables()))
def test_the_image_reads_the_variable_and_has_the_default_we_know(
    path: str, name: str, override: dict[str, Any]
) -> None:
    text = source(path)
    is_read = re.search(rf"\.Env\.{name}\b|\$ENV\.{name}\b|\$\{{?{name}\b", text)
    assert is_read, f"{path} does not read {name} any more"

    defaults = set(re.findall(rf'\.Env\.{name} \| default "?([^"|)}}]*?)"? *[|)}}-]', text))
    expected = {override["default"]} if override["default"] else set()
    assert defaults - {""} <= expected or not expected, f"{name} is {defaults} by default now"


@needs_source
@pytest.mark.parametrize(("path", "name", "override"), list(keys()))
def test_the_images_file_still_holds_what_our_line_replaces(path: str, name: str, override: dict[str, Any]) -> None:
    text = source(path)
    assert f"{override['line']} {override['default']}".strip() in text
    for part in name.split(".")[:-1]:
        assert re.search(rf"\b{re.escape(part)} \{{", text), f"{path} has no {part} any more"
    assert f'include "custom-{path.split("/")[0]}.conf"' in text, "our file is not read any more"


@needs_source
def test_our_other_files_are_still_read() -> None:
    script = source("web/rootfs/etc/s6-overlay/scripts/config")

    assert "custom-config.js >> /run/web/config/config.js" in script
    assert "custom-interface_config.js >> /run/web/config/interface_config.js" in script
    prosody = source("prosody/rootfs/defaults/conf.d/jitsi-meet.cfg.lua")
    assert 'plugin_paths = { "/prosody-plugins-custom", "/prosody-plugins/"' in prosody
    for image in ("prosody", "jicofo", "jvb"):
        assert "curl" in source(f"{image}/rootfs/usr/local/bin/healthcheck.sh")


@needs_source
@pytest.mark.parametrize("key", OVERRIDES["web"]["config"]["keys"] if SOURCE else ["no source"])
def test_jitsi_meets_own_configuration_still_has_the_key(key: str) -> None:
    assert re.search(rf"\bconfig\.{key}\b", source(OVERRIDES["web"]["source"]))


def test_what_we_say_of_config_js_is_what_the_page_says() -> None:
    assert set(OVERRIDES["web"]["config"]["keys"]) <= CONFIG.keys()


def test_every_override_says_why_and_departs_from_the_default_or_says_that_it_does_not() -> None:
    said = 0
    for image in IMAGES:
        for name, override in OVERRIDES[image]["env"].items():
            assert override["why"].endswith("."), name
            assert override.get("secret") or "value" in override, name
            said += override.get("value") == override["default"]
    assert said < 20, "an override that changes nothing hides the ones that do"


def test_the_images_that_start_are_the_pinned_ones() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    images = {name: compose["services"][name]["image"] for name in IMAGES}

    assert images == {name: f"{OVERRIDES['repository']}/{name}:{OVERRIDES['version']}" for name in IMAGES}
    assert TEMPLATES.name == OVERRIDES["version"]
