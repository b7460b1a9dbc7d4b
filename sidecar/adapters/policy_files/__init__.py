"""Reads the rule files and hands out a checked Policy, or refuses with file, key and rule."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from sidecar.adapters.policy_files.rules import read_bands, read_eids, read_never, read_packages
from sidecar.adapters.policy_files.sentences import read_sentences
from sidecar.adapters.policy_files.tables import parse
from sidecar.adapters.policy_files.types import read_type
from sidecar.domain.errors import ConfigurationError
from sidecar.domain.permissions import Permission
from sidecar.domain.policy import LANGUAGES, MeetingType, Policy, faults, prove

SHIPPED = Path(__file__).resolve().parents[2] / "policy"

_RULES = ("bands.toml", "eids.toml", "packages.toml", "never.toml")


def load_policy(directory: Path = SHIPPED, *, plugin_permissions: Collection[str] = ()) -> Policy:
    """Read, check and prove the rules in a directory.

    plugin_permissions: the "<plugin>.<name>" permissions that loaded plugins declare.
    Raises ConfigurationError whose detail has one line for each fault: file, key, rule, and for a type below
    its floor the combination that would be weak.
    """
    sources = _read(directory)
    return policy_from(sources, plugin_permissions=plugin_permissions)


def policy_from(sources: Mapping[str, str], *, plugin_permissions: Collection[str] = ()) -> Policy:
    """Return the policy that these files make. sources: name relative to the directory -> TOML text."""
    permissions = frozenset({*(each.value for each in Permission), *plugin_permissions})
    tables = {name: parse(name, text) for name, text in sources.items()}
    for name in _RULES:
        if name not in tables:
            raise ConfigurationError(f"{name}: missing")
    sentences = read_sentences({language: tables[f"sentences/{language}.toml"] for language in LANGUAGES})
    bands, strict = read_bands(tables["bands.toml"])
    packages, groups = read_packages(tables["packages.toml"], permissions)
    types: dict[str, MeetingType] = {}
    for name in sorted(sources):
        if not name.startswith("types/"):
            continue
        found = read_type(tables[name], sources[name], permissions=permissions, packages=packages)
        if found.ref in types:
            raise ConfigurationError(f"{name}: name: {found.ref} stands twice")
        types[found.ref] = found
    if not types:
        raise ConfigurationError("types: there is no meeting type")
    policy = Policy(
        bands=bands,
        strict=strict,
        types=types,
        packages=packages,
        groups=groups,
        never=read_never(tables["never.toml"], permissions),
        eids=read_eids(tables["eids.toml"]),
        sentences=replace(sentences, phrases={ref: each.phrases for ref, each in types.items()}),
        sources=dict(sources),
    )
    _refuse([str(fault) for fault in faults(policy)])
    proof = prove(policy)
    _refuse(proof.weak)
    return replace(policy, proved=proof.combinations)


def _refuse(lines: Sequence[str]) -> None:
    if lines:
        raise ConfigurationError("\n".join(lines))


def _read(directory: Path) -> dict[str, str]:
    wanted = [*_RULES, *(f"sentences/{language}.toml" for language in LANGUAGES)]
    wanted += sorted(f"types/{path.name}" for path in (directory / "types").glob("*.toml"))
    sources = {}
    for name in wanted:
        try:
            sources[name] = (directory / name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{name}: cannot be read: {error}") from error
    return sources
