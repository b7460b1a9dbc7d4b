"""Text to tree. Everything is bounded: length, number of words, depth."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

LONGEST_TEXT = 1000  # characters of one expression; a lawyer's condition is one line
MOST_WORDS = 200
DEEPEST = 20

_WORD = re.compile(
    r"\s*(?:"
    r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})(?![0-9-])"
    r"|(?P<number>[0-9]{1,15}(?:\.[0-9]{1,10})?)(?![0-9A-Za-z_.])"
    r"|(?P<text>'[^'\n]{0,200}')"
    r"|(?P<name>[a-z][a-z0-9_]{0,39})(?![A-Za-z0-9_])"
    r"|(?P<sign><=|>=|!=|[=<>()+\-*/,%])"
    r")"
)
WORDS = frozenset({"and", "or", "not", "in", "is", "filled", "empty", "yes", "no"})
_COMPARISONS = frozenset({"=", "!=", "<", "<=", ">", ">="})


class ExpressionError(ValueError):
    """An expression cannot be read or does not fit the fields. column: where, counted from 1."""

    def __init__(self, problem: str, column: int) -> None:
        super().__init__(f"{problem} (sign {column})")
        self.problem, self.column = problem, column


@dataclass(frozen=True)
class Literal:
    value: Decimal | str | date | bool
    column: int = field(compare=False)


@dataclass(frozen=True)
class Name:
    name: str
    column: int = field(compare=False)


@dataclass(frozen=True)
class Negative:
    inner: "Node"
    column: int = field(compare=False)


@dataclass(frozen=True)
class Not:
    inner: "Node"
    column: int = field(compare=False)


@dataclass(frozen=True)
class Pair:
    """Two sides and what stands between: "and", "or", a comparison, or one of + - * /."""

    sign: str
    left: "Node"
    right: "Node"
    column: int = field(compare=False)


@dataclass(frozen=True)
class Among:
    inner: "Node"
    options: tuple[Literal, ...]
    column: int = field(compare=False)


@dataclass(frozen=True)
class Filled:
    name: str
    wanted: bool
    column: int = field(compare=False)


Node = Literal | Name | Negative | Not | Pair | Among | Filled


@dataclass(frozen=True)
class Expression:
    """What a template says, as read. names: the fields it reads."""

    source: str
    tree: Node
    names: frozenset[str]


def parse(source: str) -> Expression:
    """Return the expression. Raises ExpressionError with the place of what cannot be read."""
    if len(source) > LONGEST_TEXT:
        raise ExpressionError(f"longer than {LONGEST_TEXT} signs", LONGEST_TEXT)
    reader = _Reader(list(_words(source)))
    tree = reader.either(0)
    if reader.kind != "end":
        raise ExpressionError(f"did not expect {reader.word!r} here", reader.column)
    return Expression(source, tree, frozenset(reader.names))


@dataclass(frozen=True)
class _Word:
    kind: str
    text: str
    column: int


def _words(source: str) -> Iterator[_Word]:
    at, count = 0, 0
    while source[at:].strip():
        found = _WORD.match(source, at)
        if found is None:
            column = at + len(source[at:]) - len(source[at:].lstrip()) + 1
            raise ExpressionError(f"cannot read {source[column - 1 :][:12]!r}", column)
        count += 1
        if count > MOST_WORDS:
            raise ExpressionError(f"more than {MOST_WORDS} words", at + 1)
        kind = str(found.lastgroup)
        text = found.group(kind)
        if kind == "name" and text in WORDS:
            kind = "word"
        yield _Word(kind, text, found.start(found.lastgroup or 0) + 1)
        at = found.end()
    yield _Word("end", "the end", len(source) + 1)


class _Reader:
    """Recursive descent, one method a level of binding."""

    def __init__(self, words: list[_Word]) -> None:
        self._words, self._at = words, 0
        self.names: set[str] = set()

    @property
    def kind(self) -> str:
        return self._words[self._at].kind

    @property
    def word(self) -> str:
        return self._words[self._at].text

    @property
    def column(self) -> int:
        return self._words[self._at].column

    def either(self, depth: int) -> Node:
        left = self._both(depth)
        while self._is_word("or"):
            column = self._next().column
            left = Pair("or", left, self._both(depth), column)
        return left

    def _both(self, depth: int) -> Node:
        left = self._negated(depth)
        while self._is_word("and"):
            column = self._next().column
            left = Pair("and", left, self._negated(depth), column)
        return left

    def _negated(self, depth: int) -> Node:
        self._check_depth(depth)
        if self._is_word("not"):
            column = self._next().column
            return Not(self._negated(depth + 1), column)
        return self._compared(depth)

    def _compared(self, depth: int) -> Node:
        left = self._sum(depth)
        if self.kind == "sign" and self.word in _COMPARISONS:
            sign = self._next()
            return Pair(sign.text, left, self._sum(depth), sign.column)
        if self._is_word("in"):
            return self._among(left)
        if self._is_word("is"):
            return self._filled(left)
        return left

    def _among(self, left: Node) -> Among:
        column = self._next().column
        self._expect("(")
        options = [self._literal()]
        while self._is_sign(","):
            self._next()
            options.append(self._literal())
        self._expect(")")
        return Among(left, tuple(options), column)

    def _filled(self, left: Node) -> Filled:
        column = self._next().column
        if not isinstance(left, Name):
            raise ExpressionError("only a field is filled or empty", column)
        if not (self._is_word("filled") or self._is_word("empty")):
            raise ExpressionError("after is comes filled or empty", self.column)
        return Filled(left.name, self._next().text == "filled", column)

    def _sum(self, depth: int) -> Node:
        left = self._product(depth)
        while self._is_sign("+", "-"):
            sign = self._next()
            left = Pair(sign.text, left, self._product(depth), sign.column)
        return left

    def _product(self, depth: int) -> Node:
        left = self._signed(depth)
        while self._is_sign("*", "/"):
            sign = self._next()
            left = Pair(sign.text, left, self._signed(depth), sign.column)
        return left

    def _signed(self, depth: int) -> Node:
        self._check_depth(depth)
        if self._is_sign("-"):
            column = self._next().column
            return Negative(self._signed(depth + 1), column)
        return self._atom(depth)

    def _atom(self, depth: int) -> Node:
        if self._is_sign("("):
            self._next()
            inner = self.either(depth + 1)
            self._expect(")")
            return inner
        if self.kind == "name":
            word = self._next()
            self.names.add(word.text)
            return Name(word.text, word.column)
        return self._literal()

    def _literal(self) -> Literal:
        kind, word, column = self.kind, self.word, self.column
        if kind == "number":
            self._next()
            if self._is_sign("%"):  # 85 % is 0.85, as a percentage field is
                self._next()
                return Literal(Decimal(word) / 100, column)
            return Literal(Decimal(word), column)
        if kind == "text":
            self._next()
            return Literal(word[1:-1], column)
        if kind == "date":
            self._next()
            try:
                return Literal(date.fromisoformat(word), column)
            except ValueError:
                raise ExpressionError(f"{word} is no day", column) from None
        if kind == "word" and word in ("yes", "no"):
            self._next()
            return Literal(word == "yes", column)
        raise ExpressionError(f"expected a field or a value, not {word!r}", column)

    def _next(self) -> _Word:
        word = self._words[self._at]
        self._at = min(self._at + 1, len(self._words) - 1)
        return word

    def _is_word(self, word: str) -> bool:
        return self.kind == "word" and self.word == word

    def _is_sign(self, *signs: str) -> bool:
        return self.kind == "sign" and self.word in signs

    def _expect(self, sign: str) -> None:
        if not self._is_sign(sign):
            raise ExpressionError(f"expected {sign!r}, not {self.word!r}", self.column)
        self._next()

    def _check_depth(self, depth: int) -> None:
        if depth > DEEPEST:
            raise ExpressionError(f"nested deeper than {DEEPEST}", self.column)
