"""An agreement as it will be read: the chosen clauses with the answers in place, before it is ink or signs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from tillit_forms.fields import masked, show
from tillit_forms.filling import ChosenAgreement, Standing
from tillit_forms.template import PLACEHOLDER, Clause, Template

HOLE = "\u2026\u2026"  # where a draft still lacks a value
_PIECE = 200  # signs, about three lines


@dataclass(frozen=True)
class Block:
    """A piece of a paper. rows: label and value, of a table. clause: its name in the template, where one begins."""

    kind: Literal["heading", "annex", "text", "table"]
    text: str = field(default="", repr=False)
    rows: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    clause: str = ""
    critical: bool = False


@dataclass(frozen=True)
class Paper:
    """One agreement, whole. reference: what it was made from, for its foot. recipients: as the template names them.

    sensitive: the values that stand in it and that not everybody may see, as they are written there.
    """

    name: str
    title: str
    language: str
    brand: str
    reference: str
    blocks: tuple[Block, ...]
    recipients: tuple[str, ...]
    sensitive: tuple[str, ...] = field(default=(), repr=False)

    def as_text(self) -> str:
        """Return the paper as plain text: what an eID app shows, and what a screen reader meets on the page."""
        lines = [self.title, ""]
        for block in self.blocks:
            if block.kind == "table":
                lines += [f"{label}: {value}" for label, value in block.rows]
            else:
                lines.append(block.text)
            lines.append("")
        return "\n".join(lines).strip() + "\n"


def compose(
    template: Template,
    standing: Standing,
    chosen: ChosenAgreement,
    *,
    language: str,
    brand: str,
    reference: str,
    words: Mapping[str, str],
    draft: bool = False,
    hidden: frozenset[str] = frozenset(),
) -> Paper:
    """Return the paper these answers build. words: "yes" and "no" in that language.

    draft: a value that is still missing stands as dots; otherwise it raises KeyError, since a paper has no holes.
    hidden: fields this reader sees masked.
    The answers are set in as text: nothing in them can become markup, a placeholder or another clause.
    """
    composer = _Composer(template, standing.values, language, words, draft=draft, hidden=hidden)
    blocks = composer.clauses(chosen.clauses)
    for attachment in chosen.attachments:
        blocks.append(Block("annex", attachment.attachment.title[language], clause=attachment.attachment.name))
        blocks += composer.clauses(attachment.clauses)
    return Paper(
        name=chosen.agreement.name,
        title=chosen.agreement.title[language],
        language=language,
        brand=brand,
        reference=reference,
        blocks=tuple(blocks),
        recipients=chosen.agreement.recipients,
        sensitive=tuple(composer.sensitive),
    )


class _Composer:
    def __init__(
        self,
        template: Template,
        values: Mapping[str, str],
        language: str,
        words: Mapping[str, str],
        *,
        draft: bool,
        hidden: frozenset[str],
    ) -> None:
        self._fields, self._values = template.fields, values
        self._language, self._words = language, words
        self._draft, self._hidden = draft, hidden
        self.sensitive: dict[str, None] = {}  # a set in the order of the paper

    def clauses(self, clauses: tuple[Clause, ...]) -> list[Block]:
        blocks = []
        for clause in clauses:
            first = True
            if clause.heading:
                heading = self._filled(clause.heading[self._language])
                blocks.append(Block("heading", heading, clause=clause.name, critical=clause.critical))
                first = False
            if clause.text:
                for part in self._filled(clause.text[self._language]).split("\n\n"):
                    name = clause.name if first else ""
                    blocks.append(Block("text", " ".join(part.split("\n")), clause=name, critical=clause.critical))
                    first = False
            rows = tuple(
                (self._fields[name].label[self._language], self._shown(name))
                for name in clause.table
                if name in self._values
            )
            if rows:
                blocks.append(Block("table", rows=rows, clause=clause.name if first else "", critical=clause.critical))
        return blocks

    def _filled(self, text: str) -> str:
        return PLACEHOLDER.sub(lambda found: self._shown(found[1]), text)

    def _shown(self, name: str) -> str:
        if self._draft and name not in self._values:
            return HOLE
        if name in self._hidden:
            return masked(self._fields[name], self._values[name])
        shown = show(self._fields[name], self._values[name], self._language, words=self._words)
        if shown and self._fields[name].sensitive:
            self.sensitive[shown] = None
        return shown


def pieces(text: str) -> list[str]:
    """Return a long text in parts of at most some lines of a paper, so that no part runs over two page breaks."""
    found = [""]
    for word in text.split():
        if len(found[-1]) >= _PIECE:
            found.append("")
        found[-1] = f"{found[-1]} {word}".lstrip()
    if len(found) > 1 and len(found[-1]) < _PIECE:
        found[-2:] = [f"{found[-2]} {found[-1]}"]  # a short rest would be found where something else is meant
    return found
