"""What we set differently from the Jitsi images comes from the settings alone, and holds nothing secret."""

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from sidecar.adapters.jitsi_config import Surroundings, read_overrides, render, write
from sidecar.cli import main
from sidecar.domain.errors import ConfigurationError
from sidecar.domain.jitsi_page import CONFIG
from sidecar.settings import Settings, load_settings

ROOT = Path(__file__).parents[2]
TEMPLATES = ROOT / "jitsi-config" / "stable-11146-2"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the settings that script/setup-jitsi writes, two brands in them."""
    text = (ROOT / "jitsi-config" / "tillit.toml").read_text("utf-8")
    text = text.replace("@{host}", "video.bank.example").replace("@{region}", "eu-north-se")
    key = tmp_path / "events.pub.pem"
    key.write_text("a public key")
    text = text.replace("/run/secrets/prosody_events_key_pub", str(key))
    text = text.replace("/run/secrets/recorder_events_key_pub", str(key))
    second = '[[brands]]\nid = "nord"\nname = "Nord"\nurl = "https://mote.nord.example"\nphone = "+47 23 00 00 00"\n'
    (tmp_path / "tillit.toml").write_text(text.replace("[tokens]", f"{second}\n[tokens]"), "utf-8")
    return tmp_path


@pytest.fixture
def settings(folder: Path) -> Settings:
    return load_settings(folder / "tillit.toml", {})


def rendered(settings: Settings, **options: str) -> dict[str, str]:
    return render(settings, templates=TEMPLATES, around=Surroundings(**options))


def test_the_same_settings_give_the_same_files(settings: Settings, tmp_path: Path) -> None:
    files = rendered(settings)

    assert rendered(settings) == files
    assert write(files, tmp_path / "out") == sorted(files)
    assert write(files, tmp_path / "out") == [], "what has not changed is not touched"
    assert not [name for name, text in files.items() if "@{" in text], "a mark was left"


@pytest.mark.requirement("R207")
def test_the_shards_door_takes_only_its_own_tokens(settings: Settings) -> None:
    files = rendered(settings)

    for line in (
        'tillit_audience = "shard-se"',
        'tillit_issuer = "tillit"',
        'tillit_control_audience = "tillit-prosody"',
    ):
        assert line in files["prosody/tillit.cfg.lua"]
    for line in ("JWT_ACCEPTED_AUDIENCES='shard-se'", "JWT_ALLOW_EMPTY='0'", "ENABLE_GUESTS='0'", "AUTH_TYPE='jwt'"):
        assert line in files["prosody/prosody.env"].splitlines()


@pytest.mark.requirement("R216")
def test_every_gate_and_the_door_are_loaded(settings: Settings) -> None:
    files = rendered(settings)["prosody/prosody.env"]

    assert "XMPP_MODULES='tillit_admission,tillit_permissions,tillit_sources'" in files
    assert "XMPP_MUC_MODULES='tillit_events,tillit_admission,tillit_control,tillit_recorder'" in files
    for module in re.findall(r"tillit_[a-z]+", files):
        if module != "tillit_cfg":
            assert (ROOT / "prosody-modules" / f"mod_{module}").is_dir(), module


@pytest.mark.requirement("R216")
def test_the_recorders_one_account_is_let_in_without_a_token_and_no_host_of_accounts_is(settings: Settings) -> None:
    files = rendered(settings)

    lua = files["prosody/tillit.cfg.lua"]
    assert 'tillit_recorders = { "recorder@hidden.meet.jitsi" }' in lua
    assert 'token_verification_allowlist = { "recorder@hidden.meet.jitsi" }' in lua
    assert "tillit_trusted_hosts" not in lua
    assert "ENABLE_RECORDING='1'" in files["prosody/prosody.env"].splitlines()
    assert "ENABLE_RECORDING='0'" in files["jicofo/jicofo.env"].splitlines()
    assert "JICOFO_TRUSTED_DOMAINS='hidden.meet.jitsi'" in files["jicofo/jicofo.env"].splitlines()


@pytest.mark.requirement("R216")
def test_accounts_with_passwords_are_used_from_inside_only(settings: Settings) -> None:
    files = rendered(settings)

    assert 'tillit_inside_hosts = { "auth.meet.jitsi", "hidden.meet.jitsi" }' in files["prosody/tillit.cfg.lua"]
    assert "GLOBAL_MODULES='tillit_inside'" in files["prosody/prosody.env"].splitlines()
    # What the module knows a login from outside by: our proxy writes it over whatever a client says.
    passed_on = re.findall(r"location = /(?:xmpp-websocket|http-bind) {(.*?)}", files["nginx/nginx.conf"], re.DOTALL)
    assert len(passed_on) == 4, "two addresses for each of two brands"
    assert all("proxy_set_header X-Forwarded-For $remote_addr;" in each for each in passed_on)


def test_what_has_no_authentication_listens_on_its_own_loopback(settings: Settings) -> None:
    files = rendered(settings)

    assert 'videobridge.http-servers.private.host = "127.0.0.1"' in files["jvb/custom-jvb.conf"]
    assert 'jicofo.rest.host = "127.0.0.1"' in files["jicofo/custom-jicofo.conf"]
    for name, line in (("jvb", "COLIBRI_REST_ENABLED='0'"), ("jicofo", "JICOFO_ENABLE_REST='0'")):
        assert line in files[f"{name}/{name}.env"]


def test_each_brand_has_its_two_hosts_and_reports_are_not_taken_from_outside(settings: Settings) -> None:
    nginx = rendered(settings)["nginx/nginx.conf"]

    names = re.findall(r"^ +server_name (\S+);", nginx, re.MULTILINE)
    hosts = ["video.bank.example", "meet.video.bank.example", "mote.nord.example", "meet.mote.nord.example"]
    assert [name for name in names if name != "_"] == hosts
    assert nginx.count("location ^~ /internal/ {\n            return 404;") == 2
    assert nginx.count("location ^~ /v1/ {\n            return 404;") == 2
    assert "$request_uri" not in nginx.replace("https://$host$request_uri", ""), "a log line would hold tokens"
    assert nginx.count("location ^~ /jitsi/") == 2
    assert "frame-ancestors https://mote.nord.example" in nginx


def test_jitsi_meet_takes_our_overrides_and_each_brands_page_its_own_look(settings: Settings, tmp_path: Path) -> None:
    if not shutil.which("node"):
        pytest.skip("node is not installed")
    files = rendered(settings)
    script = "const config = {p2p: {enabled: true, stunServers: []}}, interfaceConfig = {};\n"
    script += "const window = {location: {host: 'meet.mote.nord.example'}};\n"
    script += files["web/custom-config.js"] + files["web/custom-interface_config.js"]
    script += "console.log(JSON.stringify({config, interfaceConfig}));\n"
    (tmp_path / "page.js").write_text(script, "utf-8")

    said = subprocess.run(
        ["node", tmp_path / "page.js"], check=True, capture_output=True, text=True, timeout=200
    ).stdout

    config = json.loads(said)["config"]
    assert config["p2p"] == {"enabled": False}
    assert config["websocket"] == "wss://meet.mote.nord.example/xmpp-websocket"
    assert config["dynamicBrandingUrl"] == "https://mote.nord.example/jitsi/branding.json"
    assert {name: config[name] for name in CONFIG} == dict(CONFIG)


def test_nothing_rendered_is_a_secret_or_asks_a_foreign_server(settings: Settings) -> None:
    everything = "\n".join(rendered(settings).values())

    assert not re.search(r"(?i)password\s*=\s*['\"]?\w", everything)
    assert "static-auth-secret" not in everything
    assert not re.findall(
        r"https?://(?!video\.bank\.example|meet\.video|mote\.nord|meet\.mote|sidecar:|prosody:|\$|')\S+", everything
    )
    assert "JVB_DISABLE_STUN='1'" in everything, "the image would ask a public server abroad"


def test_what_is_secret_is_written_by_the_setup_script_and_by_nothing_else() -> None:
    overrides = read_overrides(TEMPLATES)
    script = (ROOT / "script" / "setup-jitsi").read_text("utf-8")

    secret = {
        name
        for image in ("prosody", "jicofo", "jvb")
        for name, each in overrides[image]["env"].items()
        if each.get("secret")
    }
    assert secret == set(re.findall(r"echo \"([A-Z_]+)=", script))


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ('kind = "jitsi"', 'kind = "bridge"', "is a Jitsi"),
        ('control_host = "muc.meet.jitsi"', 'control_host = "muc.example"', "control_host"),
        ('audience = "shard-se"', 'audience = "shard\'\\nse"', "cannot stand in a configuration file"),
        ("https://mote.nord.example", "https://mote;nord", "cannot stand in a configuration file"),
        ('name = "tillit-prosody"', 'name = "a\\" .. os.exit() .. \\""', "cannot stand in a configuration file"),
    ],
)
def test_settings_that_would_break_out_of_a_file_are_refused(folder: Path, before: str, after: str, says: str) -> None:
    file = folder / "tillit.toml"
    text = file.read_text("utf-8")
    assert before in text
    file.write_text(text.replace(before, after), "utf-8")

    with pytest.raises(ConfigurationError, match=says):
        rendered(load_settings(file, {}))


def test_the_command_writes_once_and_says_what_would_change(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    call = ["--settings", str(folder / "tillit.toml"), "render-jitsi-config", "--out", str(folder / "out")]

    assert main([*call, "--check"]) == 1
    assert main(call) == 0
    assert main([*call, "--check"]) == 0
    (folder / "out" / "nginx" / "nginx.conf").write_text("by hand")
    capsys.readouterr()
    assert main([*call, "--check"]) == 1
    assert capsys.readouterr().out == "nginx/nginx.conf would change.\n"


def test_the_setup_script_never_overwrites_a_secret_or_the_settings(tmp_path: Path) -> None:
    """A second run after an upgrade must not lock the bank out of its own database."""
    for name in ("jitsi-config", ".venv", "sidecar"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "script").mkdir()
    shutil.copy(ROOT / "script" / "setup-jitsi", tmp_path / "script")
    stack, command = tmp_path / "stack", [tmp_path / "script" / "setup-jitsi"]
    first = ["--host", "video.bank.example", "--media-address", "203.0.113.7", "--dir", str(stack), "--self-signed"]
    subprocess.run([*command, *first], check=True, capture_output=True, timeout=200)
    before = {path: path.read_bytes() for path in stack.rglob("*") if path.is_file()}
    (stack / "tillit.toml").write_text(before[stack / "tillit.toml"].decode().replace("The Bank", "Vår bank"))

    subprocess.run(command, check=True, capture_output=True, timeout=200)

    after = {path: path.read_bytes() for path in stack.rglob("*") if path.is_file()}
    assert {path for path in before if after[path] != before[path]} == {stack / "tillit.toml"}
    assert tomllib.loads(after[stack / "tillit.toml"].decode())["brands"][0]["name"] == "Vår bank"
    secrets = [path for path in (stack / "secrets").rglob("*") if path.is_file()]
    assert len(secrets) > 12
    assert {oct(path.stat().st_mode & 0o777) for path in secrets} == {"0o600"}
    values = [path.read_text().strip() for path in secrets if "." not in path.name]
    assert len(set(values)) == len(values), "two services share one secret"
    assert min(map(len, values)) == 64
