"""`tillit`: what an operator types. Each command answers in plain words and exits 0, 1 (no) or 2 (cannot)."""

import argparse
import importlib.metadata
import json
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

from sidecar.adapters import jitsi_config
from sidecar.adapters.customer_file import import_customers
from sidecar.adapters.key_files import PURPOSES, KeyRing
from sidecar.bootstrap import Services, build, move_stores
from sidecar.domain import verify_evidence
from sidecar.domain.clock import utc_now
from sidecar.domain.errors import TillitError
from sidecar.logs import configure_logging
from sidecar.plugin_manager import approve, check_approvals
from sidecar.services.policy_record import record_versions
from sidecar.settings import Settings, load_settings, redacted, settings_path

log = logging.getLogger("tillit.worker")

_SIGN_OF_LIFE = "worker.alive"
_RECORDED = "policy.recorded"
_WORKER_LONGEST_ROUND_S = 120.0  # a round with many slow deliveries; longer means that it stands still


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit status."""
    options = _parser().parse_args(arguments)
    os.umask(0o077)  # what we write is for this user alone
    try:
        return int(options.run(options))
    except TillitError as error:
        print(error.detail, file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tillit", description="Tillit: a bank's meeting room.")
    parser.add_argument("--settings", type=Path, default=None, help="settings file (else TILLIT_SETTINGS, tillit.toml)")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: object, text: str, *, own_options: bool = False) -> argparse.ArgumentParser:
        """own_options: another program reads what follows the name, --help too."""
        # Nothing on a command line begins with a null: with it for a prefix none of it is an option of ours.
        prefix = "\0" if own_options else "-"
        found = commands.add_parser(name, help=text, description=text, add_help=not own_options, prefix_chars=prefix)
        found.set_defaults(run=run)
        if own_options:
            found.add_argument("arguments", nargs=argparse.REMAINDER)
        return found

    command("check-config", _check_config, "Print the settings in force, redacted; exit 2 when they cannot be used.")
    command("worker", _worker, "Run the worker: deliveries, reminders, checkpoints.")
    command("worker-alive", _worker_alive, "Exit 0 when the worker of this installation went its round a moment ago.")
    command("web", _web, "Run the web process under gunicorn, as the settings say.")
    rotate = command("rotate-keys", _rotate, "Let the next key sign. Old tokens stay good until they expire.")
    rotate.add_argument("purpose", choices=[*PURPOSES, "all"])
    rotate.add_argument("--compromised", action="store_true", help="refuse what the old keys signed, at once")
    key = command("api-key", _api_key, "Create, list or withdraw the key of a connected system.")
    key.add_argument("what", choices=["create", "list", "withdraw"])
    key.add_argument("name", nargs="?", default="")
    key.add_argument("--rights", default="read", help="book,read,evidence")
    plugins = command("plugins", _plugins, "List, check or approve plugins.")
    plugins.add_argument("what", choices=["list", "check", "approve"])
    plugins.add_argument("names", nargs="*")
    plugins.add_argument("--by", default="")
    plugins.add_argument("--approvals", type=Path, default=Path("plugins/approvals.toml"))
    checks_evidence = "Check an evidence file, as the stand-alone verifier does."
    command("verify-evidence", _verify, checks_evidence, own_options=True)
    jitsi = command("render-jitsi-config", _render_jitsi, "Write what we set differently from the pinned Jitsi images.")
    jitsi.add_argument("--templates", type=Path, default=Path("jitsi-config/stable-11146-2"))
    jitsi.add_argument("--out", type=Path, default=Path("var/jitsi"))
    jitsi.add_argument("--shard", default="", help="id of one of [[shards]], where there are several")
    jitsi.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 and name each file that would change"
    )
    command("verify-document", _verify_document, "Explain a sealed PDF part by part, offline.", own_options=True)
    people = command("import-customers", _import, "Take customers of a TOML file into the people store.")
    people.add_argument("file", type=Path)
    command("move-stores", _move, "Move the SQLite stores into the PostgreSQL databases the settings name.")
    return parser


def _settings(options: argparse.Namespace) -> Settings:
    settings = load_settings(options.settings or settings_path())
    configure_logging(settings.log.level.value)
    return settings


def _check_config(options: argparse.Namespace) -> int:
    settings = _settings(options)
    services = build(settings)
    print(json.dumps(redacted(settings), indent=2, ensure_ascii=False))
    types = ", ".join(sorted(services.policy.types))
    print(f"Meeting types: {types}. Combinations held against the floor: {services.policy.proved}.", file=sys.stderr)
    print("The settings can be used.", file=sys.stderr)
    return 0


def _worker(options: argparse.Namespace) -> int:
    settings = _settings(options)
    services = build(settings)
    stop = _stop_on_signal()
    sign_of_life = settings.stores.data_dir / _SIGN_OF_LIFE
    _record_versions(services, settings.stores.data_dir / _RECORDED)
    log.info("worker ready")
    while not stop.is_set():
        sign_of_life.touch(mode=0o600)
        if _round(services) == 0:
            stop.wait(settings.worker.interval.total_seconds())
    log.info("worker stopped")
    return 0


def _record_versions(services: Services, recorded: Path) -> None:
    """Record the versions that are new since the last start. recorded: a file with a digest on each line."""
    known = recorded.read_text("ascii").split() if recorded.exists() else []
    with recorded.open("a", encoding="ascii", buffering=1) as file:
        record_versions(
            services.policy.types.values(),
            services.acts,
            known=known,
            remember=lambda digest: print(digest, file=file),
            now=utc_now(),
        )


def _worker_alive(options: argparse.Namespace) -> int:
    path = _settings(options).stores.data_dir / _SIGN_OF_LIFE
    age = utc_now().timestamp() - path.stat().st_mtime if path.exists() else None
    alive = age is not None and age < _WORKER_LONGEST_ROUND_S
    print("The worker is at work." if alive else "The worker has given no sign of life.")
    return 0 if alive else 1


def _round(services: Services) -> int:
    """Do one round. The worker's outermost loop: whatever fails is told, and the next round tries again."""
    try:
        return services.chores.round()
    except Exception as error:
        log.error("round failed", exc_info=error)
        return 0


def _web(options: argparse.Namespace) -> int:
    settings = _settings(options)
    web = settings.web
    path = options.settings or settings_path()
    arguments = [
        *(sys.executable, "-m", "gunicorn", "sidecar.web.wsgi:app", "--bind", web.listen),
        *("--worker-class", "gthread", "--workers", str(web.workers), "--threads", str(web.threads)),
        *("--timeout", "60", "--graceful-timeout", "3", "--keep-alive", "30", "--no-control-socket"),
        *("--env", f"TILLIT_SETTINGS={path}"),
    ]
    os.execv(sys.executable, arguments)  # noqa: S606 - gunicorn takes this process over; no shell is meant


def _rotate(options: argparse.Namespace) -> int:
    settings = _settings(options)
    ring = KeyRing.open(settings.keys.directory, algorithms={"join": settings.tokens.algorithm.value})
    for purpose in PURPOSES if options.purpose == "all" else (options.purpose,):
        kid = ring.rotate(purpose, utc_now(), compromised=options.compromised)
        print(f"{purpose}: {kid} signs from now on.")
    return 0


def _api_key(options: argparse.Namespace) -> int:
    keys = build(_settings(options)).api_keys
    if options.what == "create":
        print(keys.create(options.name or "system", options.rights.split(",")))
        print("This key is shown once. Give it to the system and keep no copy.", file=sys.stderr)
    elif options.what == "list":
        for each in keys.all():
            print(f"{each.id}  {each.name}  {', '.join(sorted(each.rights))}")
    elif not keys.withdraw(options.name):
        print(f"There is no system {options.name}.", file=sys.stderr)
        return 1
    return 0


def _plugins(options: argparse.Namespace) -> int:
    if options.what == "approve":
        for name in options.names:
            done = approve(name, by=options.by, approvals=options.approvals, now=utc_now())
            print(f"{name} {done.version} approved by {done.by}.")
        return 0
    problems = check_approvals(options.approvals)
    for name, problem in problems.items():
        print(f"{name}: {problem or 'approved'}")
    return 1 if options.what == "check" and any(problems.values()) else 0


def _verify(options: argparse.Namespace) -> int:
    return verify_evidence.main(options.arguments)


def _render_jitsi(options: argparse.Namespace) -> int:
    files = jitsi_config.render(_settings(options), templates=options.templates, shard=options.shard)
    if options.check:
        behind = [name for name, text in files.items() if not _holds(options.out / name, text)]
        print("\n".join(f"{name} would change." for name in behind) or "Nothing would change.")
        return 1 if behind else 0
    changed = jitsi_config.write(files, options.out)
    print("\n".join(f"{options.out / name} written." for name in changed) or "Nothing has changed.")
    return 0


def _holds(path: Path, text: str) -> bool:
    return path.exists() and path.read_text("utf-8") == text


def _verify_document(options: argparse.Namespace) -> int:
    """The check belongs to the plugin that makes such files; it needs no settings and no running product."""
    found = list(importlib.metadata.entry_points(group="tillit.commands", name="verify-document"))
    if not found:
        print("The plugin pades_signing, which knows such files, is not installed here.", file=sys.stderr)
        return 2
    return int(found[0].load()(options.arguments))


def _import(options: argparse.Namespace) -> int:
    count = import_customers(options.file, build(_settings(options)).people)
    print(f"{count} customers are in the register.")
    return 0


def _move(options: argparse.Namespace) -> int:
    """The audit log, the objects and the keys are files of their own and stay where they are."""
    for moved in move_stores(_settings(options)):
        count, file, aside = sum(moved.rows.values()), moved.file.name, moved.aside.name
        print(f"{moved.store}: {count} rows moved. {file} is put aside as {aside}.")
    print("Start web and worker again. Keep the files that were put aside until the next backup is made.")
    return 0


def _stop_on_signal() -> threading.Event:
    stop = threading.Event()

    def handler(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handler)
    return stop
