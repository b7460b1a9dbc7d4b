"""When two addresses reach the same person's same place: e-mail, telephone, and the gateways between them.

A link and its one-time code are two factors only while they travel apart. Everything here leans towards
"the same": a wrong "same" costs one question, a wrong "different" costs a factor.
Sources: RFC 5321 section 4.1.2, RFC 5233 (subaddresses), RFC 5891 (IDNA), ITU-T E.164.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

from sidecar.domain.errors import InvalidInputError
from sidecar.domain.policy import Decision

Kind = Literal["email", "phone", "inbox"]

CHANNEL_KINDS: dict[str, Kind] = {"email": "email", "sms": "phone", "whatsapp": "phone", "inbox": "inbox"}


@dataclass(frozen=True)
class Numbering:
    """A country's telephone plan. lengths: least and most digits after calling code and trunk."""

    calling_code: str
    trunk: str
    lengths: tuple[int, int]


NUMBERING = {
    "SE": Numbering("46", "0", (6, 13)),
    "NO": Numbering("47", "", (8, 8)),
    "DK": Numbering("45", "", (8, 8)),
    "FI": Numbering("358", "0", (5, 12)),
    "NL": Numbering("31", "0", (9, 9)),
    "DE": Numbering("49", "0", (5, 13)),
    "GB": Numbering("44", "0", (9, 10)),
    "EE": Numbering("372", "", (7, 8)),
}

_CALLING_CODES = {plan.calling_code: plan for plan in NUMBERING.values()}

# One mailbox, several domains. The first of each family stands for it.
_FAMILIES = (
    ("gmail.com", "googlemail.com"),
    ("icloud.com", "me.com", "mac.com"),
    ("proton.me", "protonmail.com", "protonmail.ch", "pm.me"),
    ("yandex.ru", "yandex.com", "yandex.by", "yandex.kz", "ya.ru"),
    ("fastmail.com", "fastmail.fm"),
)
_FAMILY = {domain: family[0] for family in _FAMILIES for domain in family}

# Letters of other scripts that are drawn like a Latin one; NFKC leaves these alone.
_DRAWN_ALIKE = str.maketrans(
    "аеорсухіјѕԁһԛԝьгпткмвνορτικαυχεγηωıɡɑ",
    "aeopcyxijsdhqwbrntkmbvoptikauxeynwiga",
)
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_LOCAL = re.compile(r"[^\s\"(),:;<>@\[\\\]\x00-\x1f\x7f]+")
_SEPARATORS = re.compile(r"[\s.\-‐‑–/()]")
_SIGNIFICANT_DIGITS = 7  # fewer than this in common proves nothing about a telephone number


def normal_email(text: str) -> str:
    """Return an e-mail address in lower case with its domain in ASCII (xn--).

    Raises InvalidInputError(field="email") for anything that is not one bare address.
    """
    cleaned = _fold(text)
    local, at, domain = cleaned.rpartition("@")
    if not at:
        raise InvalidInputError("An e-mail address needs an @.", field="email")
    if len(local) > 2 and local[0] == local[-1] == '"':
        local = local[1:-1].replace("\\", "")
    if not _LOCAL.fullmatch(local) or len(local.encode()) > 64:
        raise InvalidInputError("The part before the @ is not of its form.", field="email")
    ascii_domain = _ascii_domain(domain)
    if len(local) + len(ascii_domain) > 253:
        raise InvalidInputError("The e-mail address is too long.", field="email")
    return f"{local}@{ascii_domain}"


def normal_phone(text: str, default_country: str = "SE") -> str:
    """Return a telephone number in E.164 (+46701740605), read as a person in `default_country` writes it.

    Raises InvalidInputError(field="phone") when the number cannot be read without guessing.
    """
    plan = NUMBERING.get(default_country)
    if plan is None:
        raise InvalidInputError("The country has no numbering plan here.", field="phone")
    written = unicodedata.normalize("NFKC", _without_invisible(text)).strip().removeprefix("tel:")
    digits = _SEPARATORS.sub("", written.replace("(0)", "") if written.startswith(("+", "00")) else written)
    if digits.startswith("00"):
        digits = "+" + digits[2:]
    if not re.fullmatch(r"\+?\d+", digits):
        raise InvalidInputError("A telephone number has only digits.", field="phone")
    digits = "".join(sign if sign == "+" else str(unicodedata.digit(sign)) for sign in digits)
    if digits.startswith("+"):
        return _international(digits[1:])
    if plan.trunk and digits.startswith(plan.trunk):
        return _international(plan.calling_code + digits.removeprefix(plan.trunk))
    if not plan.trunk and _fits(plan, digits):
        return _international(plan.calling_code + digits)
    if digits.startswith(plan.calling_code) and _fits(plan, digits.removeprefix(plan.calling_code)):
        return _international(digits)
    raise InvalidInputError("The telephone number needs its country code.", field="phone")


def kind_of(text: str) -> Kind:
    """Return whether an address reads as e-mail or as telephone. An inbox cannot be told by its address."""
    return "email" if "@" in unicodedata.normalize("NFKC", text) else "phone"


def same_address(a: str, b: str, *, default_country: str = "SE") -> bool:
    """Return whether two addresses are one address, written differently. Raises InvalidInputError."""
    kinds = kind_of(a), kind_of(b)
    if kinds[0] != kinds[1]:
        return False
    if kinds[0] == "email":
        return normal_email(a) == normal_email(b)
    return normal_phone(a, default_country) == normal_phone(b, default_country)


def same_mailbox(a: str, b: str, *, default_country: str = "SE") -> bool:
    """Return whether two addresses end up in the same place, aliases and gateways included.

    Tags, dots, provider families, look-alike letters, and e-mail addresses that name a telephone number.
    Raises InvalidInputError when one cannot be read.
    """
    kinds = kind_of(a), kind_of(b)
    if kinds == ("email", "email"):
        return _mailbox(normal_email(a)) == _mailbox(normal_email(b))
    if kinds == ("phone", "phone"):
        return normal_phone(a, default_country) == normal_phone(b, default_country)
    email, phone = (a, b) if kinds[0] == "email" else (b, a)
    return _names_number(normal_email(email), normal_phone(phone, default_country))


def may_carry(
    link_address: str,
    code_address: str,
    *,
    link_channel: str = "",
    code_channel: str = "",
    default_country: str = "SE",
) -> Decision:
    """Decide whether the code may go to `code_address` when the link went to `link_address`.

    Channels are "email", "sms", "whatsapp" or "inbox"; empty means: read it from the address. Refused: the
    same place, the same kind of channel, and whatever cannot be read. Never raises.
    """
    link_kind = CHANNEL_KINDS.get(link_channel) if link_channel else kind_of(link_address)
    code_kind = CHANNEL_KINDS.get(code_channel) if code_channel else kind_of(code_address)
    if link_kind is None or code_kind is None:
        return _refused("unreadable")
    if "inbox" in (link_kind, code_kind):
        return _refused("same-channel") if link_kind == code_kind else _allowed()
    if (link_kind, code_kind) != (kind_of(link_address), kind_of(code_address)):
        return _refused("unreadable")
    try:
        same = same_mailbox(link_address, code_address, default_country=default_country)
    except InvalidInputError:
        return _refused("unreadable")
    if same:
        return _refused("same-mailbox")
    return _refused("same-channel") if link_kind == code_kind else _allowed()


def _allowed() -> Decision:
    return Decision(True, "address/apart", "address-apart")


def _refused(reason: str) -> Decision:
    return Decision(False, f"address/{reason}", f"address-{reason}")


def _without_invisible(text: str) -> str:
    """Drop what nobody sees: zero-width signs, soft hyphens, direction marks (category Cf)."""
    return "".join(sign for sign in text if unicodedata.category(sign) != "Cf")


def _fold(text: str) -> str:
    """Return text in NFKC without case or invisible signs, the form in which look-alikes meet."""
    folded = unicodedata.normalize("NFKC", _without_invisible(text)).strip().casefold()
    return unicodedata.normalize("NFKC", folded)


def _ascii_domain(domain: str) -> str:
    """Return a folded domain in ASCII. Full stops of other scripts count as dots."""
    dotted = re.sub("[。．｡]", ".", domain).removesuffix(".")
    try:
        shown = ".".join(_shown_label(label) for label in dotted.split("."))
        ascii_form = _fold(shown).encode("idna").decode("ascii").lower()
    except UnicodeError as error:
        raise InvalidInputError("The domain is not of its form.", field="email") from error
    labels = ascii_form.split(".")
    if len(labels) < 2 or not all(_LABEL.fullmatch(label) for label in labels):
        raise InvalidInputError("The domain is not of its form.", field="email")
    return ascii_form


def _shown_label(label: str) -> str:
    """Return a label as letters when it came as punycode, so that both spellings fold alike."""
    return label[4:].encode("ascii").decode("punycode") if label.startswith("xn--") else label


def _mailbox(email: str) -> str:
    """Return a key equal for all addresses of one mailbox. Dots and tags count nowhere."""
    local, _, domain = email.rpartition("@")
    shown = ".".join(_shown_label(label) for label in domain.split("."))
    alike = shown.translate(_DRAWN_ALIKE)
    for family_domain in ("fastmail.com", "fastmail.fm"):
        if alike.endswith("." + family_domain):  # anything@maja.fastmail.com reaches maja@fastmail.com
            local, alike = alike.removesuffix("." + family_domain), family_domain
    family = _FAMILY.get(alike, alike)
    base = local.translate(_DRAWN_ALIKE).split("+", 1)[0] or local
    if family.startswith("yahoo."):
        base = base.split("-", 1)[0] or base
    elif family == "proton.me":
        base = re.sub("[-_]", "", base) or base
    return f"{base.replace('.', '') or base}@{family}"


def _names_number(email: str, phone: str) -> bool:
    """Return whether an e-mail address carries a telephone number in any label, as SMS gateways write it."""
    significant = _national_part(phone)
    if len(significant) < _SIGNIFICANT_DIGITS:
        return False
    local, _, domain = email.rpartition("@")
    return any(significant in re.sub(r"\D", "", part) for part in (local, *domain.split(".")))


def _national_part(phone: str) -> str:
    digits = phone.removeprefix("+")
    for length in (3, 2):
        plan = _CALLING_CODES.get(digits[:length])
        if plan is not None:
            return digits[length:]
    return digits[-9:]  # an unknown plan: nine digits are too many to meet by chance


def _fits(plan: Numbering, digits: str) -> bool:
    return plan.lengths[0] <= len(digits) <= plan.lengths[1] and not digits.startswith("0")


def _international(digits: str) -> str:
    """Return "+" and the digits, without a trunk prefix written behind the calling code."""
    for length in (3, 2):
        plan = _CALLING_CODES.get(digits[:length])
        if plan is None:
            continue
        rest = digits[length:].removeprefix(plan.trunk)
        if not _fits(plan, rest):
            raise InvalidInputError("The telephone number is too short or too long.", field="phone")
        return f"+{plan.calling_code}{rest}"
    if not 8 <= len(digits) <= 15 or digits.startswith("0"):
        raise InvalidInputError("The telephone number is too short or too long.", field="phone")
    return f"+{digits}"
