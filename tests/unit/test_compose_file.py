"""docker-compose.yml: of the specification's form, closed to the outside, and without a secret of its own."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from sidecar.adapters.sql import postgres_engine

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
# Published to the outside, and nothing else is.
PORTS = {
    "nginx": {"80:8080", "443:8443"},
    "jvb": {"10000:10000/udp"},
    "coturn": {"3478:3478/udp", "3478:3478/tcp", "49160-49360:49160-49360/udp"},
}
each_service = pytest.mark.parametrize("name", SERVICES)


def networks(name: str) -> set[str]:
    return set(SERVICES[name].get("networks", ()))


def test_the_file_is_of_the_form_the_specification_gives() -> None:
    schema = json.loads((ROOT / "tests" / "data" / "compose-spec" / "compose-spec.json").read_text("utf-8"))

    jsonschema.Draft7Validator(schema).validate(COMPOSE)


def test_the_check_of_the_form_can_fail() -> None:
    schema = json.loads((ROOT / "tests" / "data" / "compose-spec" / "compose-spec.json").read_text("utf-8"))

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft7Validator(schema).validate(COMPOSE | {"services": {"web": {"prots": ["80:80"]}}})


def test_everything_the_design_names_is_there() -> None:
    ours = {"web", "sidecar", "worker", "recorder", "nginx"}
    needed = ours | {"prosody", "jicofo", "jvb", "coturn", "redis", "postgres"}

    assert needed <= SERVICES.keys()


@each_service
def test_a_service_is_closed_up(name: str) -> None:
    service = SERVICES[name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert service.get("privileged") is not True
    assert set(service.get("cap_add", ())) <= ({"NET_BIND_SERVICE"} if name == "coturn" else set())
    assert not {"network_mode", "pid", "ipc", "devices"} & service.keys()
    assert not [each for each in service.get("volumes", ()) if "docker.sock" in str(each)]
    assert service["pids_limit"] > 0
    if not service["image"].startswith("ghcr.io/jitsi/"):  # which run as this user by themselves
        assert service["user"] == "1000:1000"


@each_service
def test_a_service_says_whether_it_is_well(name: str) -> None:
    check = SERVICES[name]["healthcheck"]

    assert check["test"][0] in ("CMD", "CMD-SHELL")
    assert {"interval", "timeout", "retries"} <= check.keys()


@each_service
def test_an_image_is_pinned_to_one_version(name: str) -> None:
    tag = SERVICES[name]["image"].rpartition(":")[2]

    assert re.search(r"\d", tag)
    assert tag not in ("latest", "stable", "unstable")
    assert re.fullmatch(r"stable-\d+(-\d+)?|\d+\.\d+(\.\d+)?(-[a-z0-9.]+)*", tag), tag


@each_service
def test_a_service_starts_with_no_password_of_the_files_own(name: str) -> None:
    """A default password is one that everybody knows. Variables name files, and files are written by the setup."""
    service = SERVICES[name]

    environment = service.get("environment", {})
    assert isinstance(environment, dict)
    for key, value in environment.items():
        secretive = re.search(r"(?i)pass|secret|token|key", key)
        assert not secretive or str(value).startswith("/run/secrets/"), key
    assert not re.search(
        r"(?i)(requirepass|auth-secret|password)[ =]\w", " ".join(map(str, service.get("command", ())))
    )
    for secret in service.get("secrets", ()):
        assert COMPOSE["secrets"][secret]["file"].startswith("${STACK_DIR}/secrets/")


def test_no_variable_has_a_default_that_would_start_something_unset() -> None:
    text = (ROOT / "docker-compose.yml").read_text("utf-8")

    assert not re.findall(r"\$\{[A-Z_]+:-", text)
    assert set(re.findall(r"\$\{([A-Z_]+)", text)) == {"STACK_DIR", "STACK_MEDIA_ADDRESS"}


@pytest.mark.requirement("R216")
def test_nothing_but_the_doors_is_published_and_no_interface_without_authentication() -> None:
    published = {name: set(service["ports"]) for name, service in SERVICES.items() if service.get("ports")}

    assert published == PORTS
    assert not [
        port for ports in published.values() for port in ports if re.search(r":(8888|5222|5280|5432|6379)\b", port)
    ]
    assert not re.search(r"\b8080:8080|8888", str(published))


def test_the_inner_networks_reach_no_other() -> None:
    for name in ("inside", "data"):
        assert COMPOSE["networks"][name]["internal"] is True
    assert networks("postgres") == networks("redis") == {"data"}
    assert networks("prosody") == networks("jicofo") == networks("web") == {"inside"}
    assert "data" not in networks("nginx") | networks("jvb") | networks("coturn")
    assert networks("coturn") == {"outside"}, "a relay that reaches the inner network is a way in"


def test_the_database_takes_as_many_connections_as_the_processes_may_ask_for() -> None:
    settings = tomllib.loads((ROOT / "jitsi-config" / "tillit.toml").read_text("utf-8"))
    processes = settings["web"]["workers"] + 1  # and the worker
    limit = int(re.findall(r"max_connections=(\d+)", " ".join(SERVICES["postgres"]["command"]))[0])

    assert limit >= 2 * processes * 3 * (postgres_engine._READERS + 1), "a restart has old and new ones for a moment"


def test_the_proxys_address_is_the_one_whose_word_is_believed() -> None:
    address = SERVICES["nginx"]["networks"]["inside"]["ipv4_address"]

    assert f'trusted_proxies = ["{address}"]' in (ROOT / "jitsi-config" / "tillit.toml").read_text("utf-8")
    assert f'value = "{address}"' in (ROOT / "jitsi-config/stable-11146-2/overrides.toml").read_text("utf-8")


def test_what_is_mounted_is_written_by_the_setup_or_is_in_the_repository() -> None:
    script = (ROOT / "script" / "setup-jitsi").read_text("utf-8")
    for name, service in SERVICES.items():
        for volume in service.get("volumes", ()):
            source = volume.partition(":/")[0].partition(":?")[0]
            if source.startswith("./"):
                assert (ROOT / source).exists(), f"{name}: {source}"
                assert volume.endswith(":ro"), f"{name} may write to the repository"
    for secret in COMPOSE["secrets"].values():
        stem = Path(secret["file"]).name
        assert stem in script or stem.split(".")[0] in script, stem


def test_the_image_we_build_holds_no_tests_simulators_or_development_lock() -> None:
    ignored = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    dockerfile = (ROOT / "Dockerfile").read_text("utf-8")

    assert ignored[0] == "*"
    for kept in (line[1:] for line in ignored if line.startswith("!")):
        assert (ROOT / kept).exists(), kept
        assert kept not in ("tests", "simulators", "benchmarks", "requirements/dev.txt")
    assert "--require-hashes -r requirements/runtime.txt" in dockerfile
    assert "USER 1000:1000" in dockerfile
    for copied in re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile, re.MULTILINE):
        for part in copied.split():
            assert f"!{part}" in ignored, f"{part} is copied and ignored"
