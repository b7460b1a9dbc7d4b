"""What the recorder on Jitsi makes of the settings: three lines name the Prosody it works with."""

from pathlib import Path

import pytest

from sidecar.bridge.jitsi.__main__ import from_settings
from sidecar.bridge.jitsi.config import RecorderConfig
from sidecar.domain.errors import ConfigurationError
from sidecar.settings import load_settings

ROOT = Path(__file__).parents[2]


@pytest.fixture
def text(tmp_path: Path) -> str:
    """The settings script/setup-jitsi writes, with files of this test's own in place of the container's."""
    for name in ("prosody_events_key_pub", "recorder_events_key_pub", "recorder_events_key"):
        (tmp_path / name).write_text("a key")
    (tmp_path / "recorder_password").write_text("a password\n")
    template = (ROOT / "jitsi-config" / "tillit.toml").read_text("utf-8")
    filled = template.replace("@{host}", "video.bank.example").replace("@{region}", "eu-north-se")
    return filled.replace("/run/secrets", str(tmp_path))


def configured(folder: Path, text: str) -> RecorderConfig:
    (folder / "tillit.toml").write_text(text, "utf-8")
    return from_settings(load_settings(folder / "tillit.toml", {}))


def test_what_the_setup_writes_is_what_the_recorder_needs(tmp_path: Path, text: str) -> None:
    found = configured(tmp_path, text)

    account = found.account
    assert (account.url, account.domain) == ("ws://prosody:5280/xmpp-websocket", "meet.jitsi")
    assert (account.user, account.host, account.password) == ("recorder", "hidden.meet.jitsi", "a password")
    assert found.control_keys == "http://sidecar:8080/internal/prosody/control-keys.json"
    assert found.audience == "tillit-prosody-recorder"
    assert found.recordings == Path("/var/lib/tillit/data/recordings")
    assert found.region == "eu-north-se"


def test_another_prosody_jicofo_and_jvb_take_three_settings(tmp_path: Path, text: str) -> None:
    (tmp_path / "theirs").write_text("their password")
    other = text.replace("ws://prosody:5280/xmpp-websocket", "wss://meet.bank.example/xmpp-websocket")
    other = other.replace('xmpp_domain = "meet.jitsi"', 'xmpp_domain = "meet.bank.example"')
    other = other.replace(str(tmp_path / "recorder_password"), str(tmp_path / "theirs"))

    before, after = vars(configured(tmp_path, text)), vars(configured(tmp_path, other))

    assert {name for name in before if before[name] != after[name]} == {"account"}
    assert after["account"].host == "hidden.meet.bank.example"


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("password_file =", "#", "password_file"),
        ("recorder_password", "nowhere", "cannot be read"),
        ('events_key = "{folder}/recorder_events_key"\n', "\n", "recorder.events_key"),
        ("ws://prosody:5280/xmpp-websocket", "prosody:5280", "recorder.xmpp_url"),
        ('xmpp_domain = "meet.jitsi"', 'xmpp_domain = "Meet Jitsi"', "recorder.xmpp_domain"),
        ('listen = "0.0.0.0:8083"', 'listen = "8083"', "recorder.listen"),
        ('listen = "0.0.0.0:8083"', 'listen = "0.0.0.0:8083"\nlost_after = "1h"', "lost_after"),
        ('listen = "0.0.0.0:8083"', 'listen = "0.0.0.0:8083"\nshard = "no"', "recorder.shard"),
        ("http://recorder:8083", "recorder:8083", "recorder_url"),
        ("recorder_events_key_pub", "nowhere", "recorder_key"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, text: str, before: str, after: str, says: str) -> None:
    before = before.replace("{folder}", str(tmp_path))
    assert before in text

    with pytest.raises(ConfigurationError, match=says):
        configured(tmp_path, text.replace(before, after))


def test_an_empty_password_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "recorder_password").write_text("\n")

    with pytest.raises(ConfigurationError, match="is empty"):
        configured(tmp_path, text)
