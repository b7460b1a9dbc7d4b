"""Plugins: nothing unapproved runs, one refusal refuses, and one failure stays alone."""

import importlib.util
import itertools
import os
import py_compile
import sys
import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sidecar.domain.errors import ConfigurationError, InvalidInputError
from sidecar.domain.identity import LoA
from sidecar.domain.permissions import Capacity
from sidecar.plugin_api import LANGUAGES, Band, JoinQuestion, MeetingFact
from sidecar.plugin_manager import PluginManager, approve, check_approvals
from sidecar.plugin_manager.approvals import package_files, read_approvals
from sidecar.services.ports import Extensions
from sidecar.testing.plugin_site import lay_plugin

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
QUESTION = JoinQuestion(
    meeting="m_1",
    participant="p_1",
    capacity=Capacity.CUSTOMER,
    band=Band.MEDIUM,
    meeting_type="mortgage@1",
    loa=LoA.SUBSTANTIAL,
    provider="bankid",
)
FACT = MeetingFact(kind="meeting.started", meeting="m_1", at=NOON, data={})
SILENT = "class Plugin:\n    pass\n"
_numbers = itertools.count()


class Site:
    """A throwaway site-packages with plugins in it, and the list of approvals beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.approvals = folder / "approvals.toml"
        self.packages: set[str] = set()

    def install(self, code: str = SILENT, *, name: str = "", approved: bool = True, **manifest: str) -> str:
        """Install a plugin of its own name and return that. code: a class Plugin. manifest: TOML values."""
        name = name or f"throwaway{next(_numbers)}"  # a module is imported once per process
        self.packages.add(f"tillit_{name}")
        head = "from sidecar.plugin_api import Decision, hookimpl\nCONTEXT = []\nHEARD = []\n"
        tail = "def load(context):\n    CONTEXT.append(context)\n    return Plugin()\n"
        lay_plugin(self.folder, name, files={"__init__.py": head + textwrap.dedent(code) + tail}, manifest=manifest)
        if approved:
            self.approve(name)
        return name

    def approve(self, name: str, by: str = "Berit Lundhag") -> None:
        approve(name, by=by, approvals=self.approvals, now=NOON)

    def load(self, *enabled: str, tables: dict[str, Any] | None = None) -> PluginManager:
        return PluginManager.load(
            enabled=enabled,
            approvals=self.approvals,
            tables=tables or {},
            clock=lambda: NOON,
            secret=lambda name: name.encode(),
        )

    def file(self, name: str, path: str) -> Path:
        return self.folder / f"tillit_{name}" / path


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.syspath_prepend(tmp_path)
    site = Site(tmp_path)
    yield site
    for module in [each for each in sys.modules if each.partition(".")[0] in site.packages]:
        del sys.modules[module]


def judge(body: str) -> str:
    return f"class Plugin:\n    @hookimpl\n    def judge_join(self, question):\n        {body}\n"


def observe(body: str) -> str:
    return f"class Plugin:\n    @hookimpl\n    def on_meeting_fact(self, fact):\n        {body}\n"


def module_of(name: str) -> Any:
    return sys.modules[f"tillit_{name}"]


def test_the_manager_is_what_the_services_ask_for(site: Site) -> None:
    extensions: Extensions = site.load()

    assert extensions.judge_join(QUESTION, frozenset()) is None


# Approval


@pytest.mark.requirement("R141", "R213")
def test_a_plugin_nobody_approved_stops_the_start_and_none_of_its_code_runs(site: Site) -> None:
    name = site.install("raise SystemExit('ran')\n" + SILENT, approved=False)

    with pytest.raises(ConfigurationError, match=rf"not approved.*tillit plugins approve {name} --by WHO"):
        site.load(name)
    assert f"tillit_{name}" not in sys.modules


@pytest.mark.requirement("R141", "R213")
@pytest.mark.parametrize("change", ["code", "manifest", "new file", "data file gone"])
def test_a_plugin_changed_since_its_approval_stops_the_start(site: Site, change: str) -> None:
    name = site.install(approved=False)
    site.file(name, "texts.toml").write_text("")
    site.approve(name)
    if change == "code":
        site.file(name, "__init__.py").write_text(site.file(name, "__init__.py").read_text() + "#")
    elif change == "manifest":
        manifest = site.file(name, "manifest.toml")
        manifest.write_text(manifest.read_text().replace("hosts = []", 'hosts = ["attacker.example"]'))
    elif change == "new file":
        site.file(name, "helper.py").write_text("")
    else:
        site.file(name, "texts.toml").unlink()

    with pytest.raises(ConfigurationError, match=r"changed since its approval on 2026-11-24 by Berit Lundhag"):
        site.load(name)


def test_a_changed_plugin_loads_again_once_it_was_reviewed_again(site: Site) -> None:
    name = site.install()
    site.file(name, "helper.py").write_text("")
    site.approve(name, by="Ylva Second")

    [entry] = [each for each in site.load(name).register() if each.manifest.name == name]

    assert entry.approval is not None
    assert entry.approval.by == "Ylva Second"


def test_an_approval_that_was_deleted_is_withdrawn(site: Site) -> None:
    name = site.install()
    site.approvals.write_text("")

    with pytest.raises(ConfigurationError, match="not approved"):
        site.load(name)


@pytest.mark.requirement("R141")
def test_a_compiled_file_that_no_review_saw_is_never_run(site: Site) -> None:
    """Python prefers a fitting file in __pycache__ to the source: that would void every approval."""
    honest = "class Plugin:\n    honest = True\n"
    name = site.install(honest)
    source = site.file(name, "__init__.py")
    evil = source.read_text().replace("honest = True", "honest = None")
    status = source.stat()
    evil_source = site.folder / "evil.py"
    evil_source.write_text(evil)
    os.utime(evil_source, ns=(status.st_atime_ns, status.st_mtime_ns))
    cache = Path(importlib.util.cache_from_source(str(source)))
    cache.parent.mkdir(exist_ok=True)
    py_compile.compile(str(evil_source), cfile=str(cache), dfile=str(source))

    site.load(name)

    assert module_of(name).Plugin.honest is True


def test_a_file_exchanged_between_check_and_import_is_not_run(site: Site) -> None:
    name = site.install("from . import helper\n" + SILENT, approved=False)
    site.file(name, "__init__.py").write_text(
        "import pathlib\n"
        "pathlib.Path(__file__).with_name('helper.py').write_text('EVIL = 1')\n"
        + site.file(name, "__init__.py").read_text()
    )
    site.file(name, "helper.py").write_text("")
    site.approve(name)

    with pytest.raises(ConfigurationError, match="changed while it was being loaded"):
        site.load(name)


def test_modules_below_the_package_load_too(site: Site) -> None:
    name = site.install("from .deeper.still import VALUE\n" + SILENT, approved=False)
    site.file(name, "deeper").mkdir()
    site.file(name, "deeper/__init__.py").write_text("")
    site.file(name, "deeper/still.py").write_text("VALUE = 7\n")
    site.approve(name)

    site.load(name)

    assert module_of(name).VALUE == 7


def test_the_digest_covers_paths_and_contents_and_leaves_compiled_files_out(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("1")
    digests = [package_files(tmp_path).digest]
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "a.pyc").write_bytes(b"1")
    assert package_files(tmp_path).digest == digests[0]

    (tmp_path / "a.py").rename(tmp_path / "b.py")
    digests.append(package_files(tmp_path).digest)
    (tmp_path / "b.py").write_text("2")
    digests.append(package_files(tmp_path).digest)
    assert len(set(digests)) == 3


def test_approvals_keep_the_names_of_people_as_they_are(site: Site) -> None:
    name = site.install(approved=False)
    site.approve(name, by='Åsa "Ö" Nyström')

    assert read_approvals(site.approvals)[name].by == 'Åsa "Ö" Nyström'
    with pytest.raises(InvalidInputError):
        site.approve(name, by=" ")
    with pytest.raises(InvalidInputError):
        site.approve(name, by='x"\n[[approval]]')


def test_a_damaged_list_of_approvals_approves_nothing(site: Site) -> None:
    name = site.install()
    site.approvals.write_text("[[approval]]\nplugin = 1\n")

    with pytest.raises(ConfigurationError, match="not a list of approvals"):
        site.load(name)
    with pytest.raises(ConfigurationError, match="not a list of approvals"):
        site.approve(name)


def test_the_state_of_every_approval_can_be_asked_without_loading_anything(site: Site) -> None:
    good, missing, changed = site.install(), site.install(approved=False), site.install()
    site.file(changed, "helper.py").write_text("")

    problems = check_approvals(site.approvals)

    assert problems[good] == ""
    assert "is not approved" in problems[missing]
    assert "was changed since" in problems[changed]
    assert f"tillit_{good}" not in sys.modules


# Loading


def test_an_unknown_plugin_stops_the_start_with_the_nearest_name(site: Site) -> None:
    name = site.install()

    with pytest.raises(ConfigurationError, match=rf"is not installed. The nearest is '{name}'"):
        site.load(name + "x")


def test_settings_for_a_plugin_that_is_not_there_stop_the_start(site: Site) -> None:
    name = site.install()

    with pytest.raises(ConfigurationError, match="belongs to no installed plugin"):
        site.load(name, tables={name + "x": {}})


def test_a_plugin_for_another_api_stops_the_start(site: Site) -> None:
    name = site.install(api_version="2")

    with pytest.raises(ConfigurationError, match="plugin API 2"):
        site.load(name)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", '"other"'),
        ("version", "1"),
        ("publisher", '""'),
        ("api_version", "true"),
        ("data_goes", '"anywhere"'),
        ("hosts", '["https://host/path"]'),
        ("hosts", '"host"'),
        ("permissions", '["record"]'),
        ("audit_kinds", '["other.kind"]'),
        ("data", '[{what = "Names"}]'),
        ("data", '["Names"]'),
        ("surprise", "1"),
    ],
)
def test_a_manifest_not_of_its_form_stops_the_start(site: Site, key: str, value: str) -> None:
    name = site.install(approved=False, **{key: value})

    with pytest.raises(ConfigurationError, match=f"Plugin {name}"):
        site.load(name)


def test_a_plugin_without_a_manifest_stops_the_start(site: Site) -> None:
    name = site.install()
    site.file(name, "manifest.toml").unlink()

    with pytest.raises(ConfigurationError, match=r"no manifest\.toml"):
        site.load(name)


def test_a_misspelt_hook_stops_the_start_with_the_nearest_name(site: Site) -> None:
    name = site.install(judge("return None").replace("judge_join", "juge_join"))

    with pytest.raises(ConfigurationError, match=rf"{name}: there is no hook juge_join. The nearest is judge_join"):
        site.load(name)


@pytest.mark.parametrize("options", ["optionalhook=True", "hookwrapper=True", "wrapper=True"])
def test_a_hook_that_could_hide_or_silence_others_stops_the_start(site: Site, options: str) -> None:
    code = judge("yield").replace("@hookimpl", f"@hookimpl({options})")
    if options == "optionalhook=True":
        code = code.replace("judge_join", "juge_join").replace("yield", "return None")
    name = site.install(code)

    with pytest.raises(ConfigurationError, match="wrap other plugins"):
        site.load(name)


def test_a_hook_with_an_argument_that_does_not_exist_stops_the_start(site: Site) -> None:
    name = site.install(judge("return None").replace("question", "meeting"))

    with pytest.raises(ConfigurationError, match=name):
        site.load(name)


@pytest.mark.parametrize(
    "code",
    [
        "raise RuntimeError\n" + SILENT,
        "import no_such_module\n" + SILENT,
        "class Plugin:\n    def __init__(self): raise RuntimeError\n",
        "Plugin = lambda: None\n",
    ],
)
def test_a_plugin_that_breaks_while_loading_stops_the_start_with_its_name(site: Site, code: str) -> None:
    name = site.install(code)

    with pytest.raises(ConfigurationError, match=f"Plugin {name}"):
        site.load(name)


def test_a_plugin_gets_its_own_settings_and_secrets_of_its_own(site: Site) -> None:
    first, second = site.install(), site.install()
    site.load(first, second, tables={first: {"colour": "blue"}})

    [context], [other] = module_of(first).CONTEXT, module_of(second).CONTEXT

    assert (context.name, dict(context.settings), context.clock()) == (first, {"colour": "blue"}, NOON)
    assert dict(other.settings) == {}
    assert context.secret("cookies") == f"plugin.{first}.cookies".encode() != other.secret("cookies")


# What plugins offer


METHODS = """
class Method:
    def __init__(self, name): self.name = name
class Plugin:
    @hookimpl
    def provide_identity_methods(self): return [Method("{0}")]
    @hookimpl
    def provide_notification_channels(self): return (Method("{0}_sms"),)
    @hookimpl
    def provide_staff_sign_in(self): return Method("{0}_staff")
"""


@pytest.mark.requirement("R140", "R141")
def test_what_plugins_offer_is_found_by_name_and_only_where_allowed(site: Site) -> None:
    first, second = site.install(METHODS.format("one")), site.install(METHODS.format("two"))
    manager = site.load(first, second)

    assert set(manager.identity_methods()) == {"one", "two"}
    assert set(manager.identity_methods({second})) == {"two"}
    assert set(manager.channels(frozenset())) == set()
    assert manager.plugin_of("one") == first
    assert manager.plugin_of("two_sms") == second
    assert manager.staff_sign_in("two_staff").name == "two_staff"
    with pytest.raises(ConfigurationError, match=r"no plugin offers\. Offered: one_staff, two_staff"):
        manager.staff_sign_in("other")


def test_two_methods_of_one_name_stop_the_start(site: Site) -> None:
    first, second = site.install(METHODS.format("one")), site.install(METHODS.format("one"))

    with pytest.raises(ConfigurationError, match="offered twice"):
        site.load(first, second)


def test_a_plugin_that_fails_to_offer_stops_the_start(site: Site) -> None:
    name = site.install(METHODS.format("one").replace("return [Method", "return 1/0, [Method"))

    with pytest.raises(ConfigurationError, match=f"{name} failed in provide_identity_methods"):
        site.load(name)


def texts(name: str, key: str, languages: tuple[str, ...]) -> str:
    table = {language: {key.format(name): f"In {language}"} for language in languages}
    return f"class Plugin:\n    @hookimpl\n    def provide_texts(self): return {table!r}\n"


def test_a_plugins_sentences_come_in_every_language_under_its_own_name(site: Site) -> None:
    name = site.install(texts("speaker", "{0}.title", LANGUAGES), name="speaker")
    silent = site.install(texts("mute", "{0}.title", LANGUAGES[:-1]), name="mute")
    loud = site.install(texts("room", "{0}.title", LANGUAGES), name="loud")

    assert site.load(name).texts_by_plugin()["speaker"]["fi"] == {"speaker.title": "In fi"}
    with pytest.raises(ConfigurationError, match=r"'mute\.title' is missing in 'en'"):
        site.load(silent)
    with pytest.raises(ConfigurationError, match="must begin with 'loud'"):
        site.load(loud)


# What plugins are asked and told


REFUSES = judge('return Decision(False, "watchlist/hit", "watchlist.hit")')


@pytest.mark.requirement("R141")
def test_one_refusal_refuses_and_says_by_which_rule(site: Site) -> None:
    names = [
        site.install(judge('return Decision(True, "fine", "fine")')),
        site.install(REFUSES),
        site.install(judge("return None")),
    ]
    manager = site.load(*names)

    verdict = manager.judge_join(QUESTION, frozenset(names))

    assert verdict is not None
    assert (verdict.allowed, verdict.rule) == (False, "watchlist/hit")


def test_nobody_objecting_leaves_the_decision_where_it_was(site: Site) -> None:
    names = [site.install(judge('return Decision(True, "r", "s")')), site.install(judge("return None"))]

    assert site.load(*names).judge_join(QUESTION, frozenset(names)) is None


@pytest.mark.requirement("R141")
@pytest.mark.parametrize("body", ["raise RuntimeError", "return True", "return 1 / 0", 'return "allowed"', "return []"])
def test_a_judge_that_breaks_or_talks_nonsense_refuses(site: Site, body: str) -> None:
    name = site.install(judge(body))

    verdict = site.load(name).judge_join(QUESTION, frozenset({name}))

    assert verdict is not None
    assert (verdict.allowed, verdict.rule, dict(verdict.params)) == (
        False,
        f"plugin.{name}/failed",
        {"plugin": name},
    )


@pytest.mark.requirement("R140")
def test_a_plugin_the_meeting_does_not_allow_is_neither_asked_nor_told(site: Site) -> None:
    """In the high band the policy allows none: a universal plugin stays silent there."""
    name = site.install(REFUSES + observe("HEARD.append(fact)").partition("\n")[2])
    manager = site.load(name)

    assert manager.judge_join(QUESTION, frozenset()) is None
    manager.on_fact(FACT, frozenset())
    assert module_of(name).HEARD == []

    assert manager.judge_join(QUESTION, frozenset({name})) is not None
    manager.on_fact(FACT, frozenset({name}))
    assert module_of(name).HEARD == [FACT]


def test_one_observer_that_fails_does_not_silence_the_others(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    names = [site.install(observe(body)) for body in ("HEARD.append(1)", "1 / 0", "HEARD.append(2)")]

    site.load(*names).on_fact(FACT, frozenset(names))

    assert [module_of(name).HEARD for name in names] == [[1], [], [2]]
    assert [vars(each)["plugin"] for each in caplog.records if each.levelname == "ERROR"] == [names[1]]


@pytest.mark.requirement("R142", "R213")
def test_the_register_lists_who_is_really_in_use_and_by_whose_approval(site: Site) -> None:
    used = site.install(
        judge("return None"),
        hosts='["crm.bank.example"]',
        permissions='["listed.see"]',
        audit_kinds='["listed.seen"]',
        name="listed",
    )
    idle = site.install()
    manager = site.load(used)
    entries = {entry.manifest.name: entry for entry in manager.register()}

    assert entries[used].state == "loaded"
    assert entries[used].hooks == ("judge_join",)
    assert entries[used].manifest.hosts == ("crm.bank.example",)
    assert entries[used].manifest.data[0].why == "It is a test."
    approval = entries[used].approval
    assert approval is not None
    assert (approval.digest, approval.at) == (entries[used].digest, NOON)
    assert entries[idle].state == "disabled"
    assert manager.register()[0].manifest.name == used
    assert manager.loaded == {used}
    assert manager.permissions() == {"listed.see"}
    assert manager.audit_kinds() == {"listed.seen"}


@pytest.mark.requirement("R142")
def test_who_was_asked_in_a_meeting_can_be_recorded(site: Site) -> None:
    judging, silent = site.install(judge("return None")), site.install()
    other = site.install(judge("return None"))
    manager = site.load(judging, silent, other)

    assert manager.asked("judge_join", {judging, silent}) == (judging,)
    assert manager.asked("on_meeting_fact", {judging, silent}) == ()


def test_an_installed_plugin_that_is_not_enabled_runs_no_code_and_cannot_stop_the_start(site: Site) -> None:
    site.install("raise SystemExit\n" + SILENT)
    broken = site.install(approved=False, data_goes='"nowhere"')

    assert broken not in {entry.manifest.name for entry in site.load().register()}
