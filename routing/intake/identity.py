"""One person, many spellings: e-mail, phone, chat handle, domain and name in the form by which the same one is found.

Each function returns a key to compare by, or None when the text is no such thing; what the sender wrote is kept
elsewhere. None of them raises, whatever the text, and a key given again is its own key.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from encodings import idna
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from types import ModuleType
from typing import NamedTuple
from urllib.parse import unquote

LONGEST_TEXT = 1_000  # longer than any address, handle or name: looked at no further
LONGEST_EMAIL, LONGEST_LOCAL_PART, LONGEST_DOMAIN = 254, 64, 253  # RFC 5321, in octets
LONGEST_PHONE = 250
SHORTEST_INTERNATIONAL = 10  # digits of a number with its country code that was written without a plus
LONGEST_HANDLE = 255

_NOTHING = frozenset(
    {"na", "n/a", "nan", "nil", "none", "null", "undefined", "unknown", "нет"}
)  # typed for "I have none"

# Zero-width characters, soft hyphens, bidi controls and the byte order mark come along when text is copied from a page.
_INVISIBLE = re.compile("[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")
_UNWRITABLE = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\udfff]")  # controls, half surrogate pairs
_ATOM = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_ATOM_SIGNS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+/=?^_`{|}~-")
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*")
_DOTS = re.compile("[.\u3002\uff0e\uff61]")  # RFC 3490 takes all four for a dot
_SCHEME = re.compile(r"(?:[a-z][a-z0-9+.-]{0,30}:)?//", re.IGNORECASE)
_DIGIT, _LETTER = re.compile(r"\d"), re.compile(r"[^\W\d_]")
_QUOTED_LOCAL_PART = re.compile(r'"(?:[^"\\]|\\.)*"(?=\s*[@\uff20])', re.DOTALL)
_EXTENSION = re.compile(r"\s*[,;#]{1,2}\s*(\d{1,8})#?$")
# How an extension is written: English, Spanish, Portuguese, French, German, Italian, Polish, Czech, Dutch, Russian.
_EXTENSION_WORD = re.compile(
    r"(?<![^\W\d_])(?:e?xt(?:en(?:si[oó]n|s[aã]o)?|n)?|x|х|int(?:erno|erne)?|anexo|ramal|poste|dw|durchwahl|app(?:arat)?"
    r"|nst|nebenstelle|klappe|wewn?|wewnętrzny|linka|kl|tst|toestel|доб(?:авочный)?|доп|вн(?:утр(?:енний)?)?)"
    r"[\s.:=#№]{0,5}(\d{1,8})(?!\d)",
    re.IGNORECASE,
)
_PLUS = re.compile(r"\D{0,8}[+\uff0b]")  # in front of the first digit: "tel:+34…", "(+34) …"
_RENUMBERED = [
    (re.compile(r"52(?:1|044|045|44|45)(\d{10})"), r"+52\1"),
    (re.compile(r"55(\d\d)([6-9]\d{7})"), r"+55\g<1>9\2"),
    (re.compile(r"229(\d{8})"), r"+22901\1"),
]
_TELEGRAM = re.compile(r"(?:https?://)?(?:www\.)?(?:t|telegram)\.me/", re.IGNORECASE)
# A telephone number given as a chat handle. Digits alone are none: messengers number their users, too.
_NUMBER_AS_HANDLE = re.compile(
    r"(?:(?:tel|sms|whatsapp|viber|signal):(?P<dialled>[+\d][\d\s().-]{3,40}(?:;ext=\d{1,8})?)"
    r"|(?P<plus>[+\uff0b][\d\s().-]{4,40})"
    r"|(?:https?://)?(?:www\.)?(?:t|telegram)\.me/(?P<telegram>\+\d{7,15})/?"
    r"|(?:https?://)?(?:www\.)?wa\.me/(?P<wa>\+?\d{7,15})/?(?:\?.*)?"
    r"|(?:(?:https?://)?(?:api|web)\.whatsapp\.com/send/?|whatsapp://send/?|viber://(?:chat|add)/?)"
    r"\?(?:.*&)?(?:phone|number)=(?P<asked>(?:\+|%2b)?\d{7,15})(?:&.*)?"
    r"|(?P<jid>\d{7,15})(?::\d+)?@(?:c\.us|s\.whatsapp\.net))",
    re.IGNORECASE,
)
_INTERNATIONAL_HANDLES = ("telegram", "wa", "asked", "jid")  # they have the country's code, with or without a plus


# E-mail


def normalise_email(text: str) -> str | None:
    """Return the address in the form it is compared by, or None when no mail could ever reach it.

    Upper and lower case are one: the few mail systems that tell `Ann@` from `ann@` do not give the two to two persons.
    Taken off: blanks around, invisible characters, `mailto:` and the name of `Ann <ann@example.com>`. Refused:
    comments, folded lines, two addresses. Taken though rare: quoted local parts, address literals, one-label domains.
    """
    if not isinstance(text, str) or len(text) > LONGEST_TEXT:
        return None
    bare = _bare_address(text)
    if len(bare) < LONGEST_EMAIL and bare.isascii():  # the common case, in one pass
        local, _, domain = bare.lower().rpartition("@")
        if (
            len(local) <= LONGEST_LOCAL_PART
            and _ATOM.fullmatch(local)
            and _HOST.fullmatch(domain)
            and len(domain) <= 253
        ):
            return f"{local}@{domain}"
    return _unusual_email(bare)


def _bare_address(text: str) -> str:
    """Take off what people and programs put around an address."""
    bare = text.strip() if text.isascii() else _visible_address(text).strip()
    if bare.endswith(">") and "<" in bare:
        bare = bare[bare.rfind("<") + 1 : -1].strip()
    if bare[:7].lower() == "mailto:":
        bare = unquote(_before_query(bare[7:]), errors="replace").strip()
    return bare


def _visible_address(text: str) -> str:
    """Take off what is invisible, but nothing from inside a quoted local part: without it, it is another's address."""
    quoted = _QUOTED_LOCAL_PART.search(text)
    parts = (text[: quoted.start()], quoted[0], text[quoted.end() :]) if quoted else ("", "", text)
    before, kept, after = (part if n == 1 else _INVISIBLE.sub("", part) for n, part in enumerate(parts))
    return before + kept + after.replace("\uff20", "@")


def _before_query(address: str) -> str:
    at = address.rfind("@")
    end = address.find("?", max(at, 0))
    return address if end < 0 else address[:end]


def _unusual_email(bare: str) -> str | None:
    local, _, domain = bare.rpartition("@")
    key_of_local, key_of_domain = _local_part(local.strip()), _mail_domain(domain.strip())
    if key_of_local is None or key_of_domain is None:
        return None
    key = f"{key_of_local}@{key_of_domain}"
    return key if len(key.encode()) <= LONGEST_EMAIL else None


def _local_part(local: str) -> str | None:
    if not local or len(local) > LONGEST_LOCAL_PART:
        return None
    if local[0] == '"':
        unquoted = _unquote(local)
        if unquoted is None:
            return None
        folded = _fold(unquoted)
        local = folded if _is_dot_atom(folded) else _quote(folded)  # "ann"@x and ann@x are the same mailbox
    else:
        local = _fold(local)
        if not _is_dot_atom(local):
            return None
    return local if len(local.encode()) <= LONGEST_LOCAL_PART else None


def _unquote(local: str) -> str | None:
    """Return what stands between the quotes, with `\\x` read as x; None when it is not one whole quoted string."""
    if len(local) < 2 or local[-1] != '"':
        return None
    read, escaped = [], False
    for character in local[1:-1]:
        if not (character == " " or _is_mail_sign(character)):
            return None
        if escaped or character not in '"\\':
            if escaped and not character.isascii():
                return None
            read.append(character)
            escaped = False
        elif character == "\\":
            escaped = True
        else:
            return None
    return None if escaped else "".join(read)


def _quote(content: str) -> str:
    escaped = content.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _is_dot_atom(local: str) -> bool:
    atoms = local.split(".")
    return all(atoms) and all(c in _ATOM_SIGNS or (c > "\x7f" and _is_mail_sign(c)) for atom in atoms for c in atom)


def _is_mail_sign(character: str) -> bool:
    return character.isprintable() and not character.isspace() and character != "\ufffd"


def _mail_domain(domain: str) -> str | None:
    if domain.startswith("["):
        return _address_literal(domain)
    return _host(domain)


def _address_literal(domain: str) -> str | None:
    if not domain.endswith("]") or len(domain) > 64 or "%" in domain or not domain.isascii():
        return None
    literal = domain[1:-1].lower()
    try:
        if literal.startswith("ipv6:"):
            return f"[ipv6:{IPv6Address(literal[5:]).compressed}]"
        return f"[{IPv4Address(literal).compressed}]"
    except AddressValueError:
        return None


# Domains


def normalise_domain(text: str) -> str | None:
    """Return the domain of a company's site or mail in ASCII, or None. Taken off: scheme, user, `www.`, port, path."""
    if not isinstance(text, str) or len(text) > LONGEST_TEXT:
        return None
    bare = text.strip() if text.isascii() else _INVISIBLE.sub("", text).strip()
    scheme = _SCHEME.match(bare)
    if scheme:
        bare = bare[scheme.end() :]
    bare = re.split(r"[/?#\\]", bare, maxsplit=1)[0].rpartition("@")[2]
    name, colon, port = bare.partition(":")
    if colon and not (port == "" or port.isdecimal()):
        return None
    domain = _host(name.strip().removesuffix("."))
    if domain is None:
        return None
    while domain.startswith("www.") and "." in domain[4:]:
        domain = domain[4:]
    if (
        "." not in domain or domain.rpartition(".")[2].isdecimal()
    ):  # a name of one label or an IP address is nobody's company
        return None
    return domain


def _host(name: str) -> str | None:
    """Return a host name in ASCII and lower case, or None when it could not be registered."""
    if not name or len(name) > LONGEST_DOMAIN:
        return None
    if not name.isascii():
        try:
            name = ".".join(idna.ToASCII(label).decode("ascii") if label else "" for label in _DOTS.split(name))
        except UnicodeError:
            return None
    name = name.lower()
    return name if len(name) <= LONGEST_DOMAIN and _HOST.fullmatch(name) else None


# Phones


class Phone(NamedTuple):
    """A telephone number that can be dialled."""

    number: str  # E.164
    extension: str = ""  # digits

    @property
    def key(self) -> str:
        """Return the form by which the number is compared: an extension is another person's; Argentina's 9 is dialled to
        a mobile from abroad only, and often left out."""
        number = f"+54{self.number[4:]}" if self.number.startswith("+549") and len(self.number) == 14 else self.number
        return f"{number};ext={self.extension}" if self.extension else number


def normalise_phone(text: str, country: str | None) -> str | None:
    """Return the number in E.164 without its extension, or None when it is no valid number."""
    phone = read_phone(text, country)
    return phone and phone.number


@lru_cache(maxsize=1024)  # a request asks twice; more would be memory for nothing
def read_phone(text: str, country: str | None) -> Phone | None:
    """Return the number with its extension, or None when it is no valid number.

    country: ISO code of the country whose numbers may be written without their prefix; None or "" takes international
    forms alone. `00` stands for `+` there, and elsewhere where the country dials it so. Where that gives no valid
    number, the text is read as international digits without a plus, then as dialled in Russia and Kazakhstan (8 …).
    Forms that were dialled before a change of the numbering plan are the numbers of today.
    """
    if not isinstance(text, str) or not text or len(text) > LONGEST_PHONE:
        return None
    region = country.strip().upper() if isinstance(country, str) else ""
    bare = text.strip() if text.isascii() else _INVISIBLE.sub("", text).strip()
    if region not in _phones().SUPPORTED_REGIONS:
        region, bare = "", _with_plus(bare)
    # A note behind the number ("privat", "(Fax)") would be dialled on the keypad, and reach somebody else.
    before_note = _without_note(bare)
    for reading in dict.fromkeys((before_note, bare)):
        number = _e164(reading, region or None) or _older_form(reading, region) or _without_prefix(reading)
        if number:
            return Phone(number, _extension(before_note, bare[len(before_note) :]))
    return None


def _extension(before_note: str, note: str) -> str:
    """Return the digits of the extension: behind its word in the note, or behind `#`, `;` or `,,` without a word."""
    found = _EXTENSION_WORD.search(note) or _EXTENSION.search(before_note)
    return "".join(str(unicodedata.decimal(digit)) for digit in found[1]) if found else ""


def _with_plus(bare: str) -> str:
    digits = "".join(str(unicodedata.decimal(character)) for character in bare[:2] if character.isdecimal())
    return f"+{bare[2:]}" if digits == "00" else bare


def _without_note(bare: str) -> str:
    """Return the text up to the first letter behind the first digit: what follows is a note or an extension."""
    digit = _DIGIT.search(bare)
    letter = _LETTER.search(bare, digit.end()) if digit else None
    return bare[: letter.start()].rstrip(" (,;.-/") if letter else bare


def _e164(bare: str, region: str | None) -> str | None:
    phones = _phones()
    try:
        number = phones.parse(bare, region)
    except phones.NumberParseException:
        return None
    if not phones.is_valid_number(number):
        return None
    return str(phones.format_number(number, phones.PhoneNumberFormat.E164))


def _older_form(bare: str, region: str) -> str | None:
    """Return the number of today for a form of before, or None.

    Source: the numbering plans' changes, Mexico 2019 (1 and 044), Brazil 2012–2016 (ninth digit), Benin 2024 (01).
    """
    digits = _digits(bare)
    if _PLUS.match(bare):
        if digits.startswith("8"):  # "+8 912 …": the Russian trunk digit behind a plus that does not belong there
            return _russian(digits)
        if "(0)" in bare:  # "+34 (0)600 …": a zero that is dialled inside the country, where there is one
            return _e164(bare.replace("(0)", " ", 1), None)
    else:
        code = _phones().country_code_for_region(region) if region else 0
        digits = f"{code}{digits.removeprefix('0')}" if code else digits
    for older, newer in _RENUMBERED:
        if older.fullmatch(digits):
            return _e164(older.sub(newer, digits), None)
    return None


def _without_prefix(bare: str) -> str | None:
    """Return the number that was written with its country but without a plus, or as it is dialled in Russia."""
    digits = _digits(bare)
    if _PLUS.match(bare) or len(digits) < SHORTEST_INTERNATIONAL:
        return None
    return _e164(f"+{digits}", None) or _russian(digits)


def _russian(digits: str) -> str | None:
    return _e164(digits, "RU") if len(digits) == 11 and digits.startswith("8") else None


def _digits(bare: str) -> str:
    """Return the digits in front of an extension, in ASCII."""
    number = _EXTENSION.sub("", bare)
    return "".join(str(unicodedata.decimal(character)) for character in number if character.isdecimal())


def is_country_code(digits: str) -> bool:
    return digits != "" and int(digits) in _phones().COUNTRY_CODE_TO_REGION_CODE


@lru_cache(maxsize=1)
def _phones() -> ModuleType:
    """Load the numbering plans at first use: who never sees a phone starts without. Never the geocoder: 127 MB."""
    import phonenumbers

    return phonenumbers


# Names and handles


def normalise_name(text: str) -> str:
    """Return a company's or person's name as it is compared: width, case, blanks and invisible characters do not count.

    "" means there is nothing to compare by, which a text beyond LONGEST_TEXT is too: cut, it could be another's name.
    """
    if not isinstance(text, str):
        return ""
    return _settle(text, _plain_name)


def normalise_chat(text: str, country: str | None = None) -> str | None:
    """Return a chat handle as it is compared, or None when it names nobody. `@Ann`, `t.me/ann` and `ann` are one.

    A telephone number given as a handle is compared as the number. country: as for a phone.
    """
    if not isinstance(text, str) or len(text) > LONGEST_TEXT or _UNWRITABLE.search(text):
        return None
    number = phone_of_chat(text, country)
    if number:
        return number.key
    handle = _settle(text, _plain_handle)
    if len(handle) > LONGEST_HANDLE or handle in _NOTHING or not any(c.isalnum() for c in handle):
        return None
    return handle


def phone_of_chat(text: str, country: str | None) -> Phone | None:
    """Return the telephone number that was given as a chat handle: `+34…`, `tel:`, `wa.me/34…`, `34…@c.us`."""
    if len(text) > LONGEST_TEXT or not any(character.isdecimal() for character in text):
        return None
    found = _NUMBER_AS_HANDLE.fullmatch(_INVISIBLE.sub("", text).strip())
    if found is None or found.lastgroup is None:
        return None
    written = found[found.lastgroup]
    if found.lastgroup in _INTERNATIONAL_HANDLES:
        written, country = f"+{written.lower().removeprefix('%2b').removeprefix('+')}", None
    return read_phone(written, country)


def _plain_name(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(_UNWRITABLE.sub("", _INVISIBLE.sub("", folded)).split())


def _plain_handle(text: str) -> str:
    plain = _plain_name(text)
    telegram = _TELEGRAM.match(plain)
    if telegram:
        plain = plain[telegram.end() :].rstrip("/")
    return plain.lstrip("@ ")


def _fold(text: str) -> str:
    """Return the text in NFC without case. ASCII is the hot path; the rest may need a second round to come to rest."""
    if text.isascii():
        return text.lower()
    return _settle(text, lambda spelling: unicodedata.normalize("NFC", spelling.casefold()))


def _settle(text: str, step: Callable[[str], str]) -> str:
    """Apply a step until it changes nothing, so that the key of a key is the key. Two rounds nearly always do."""
    for _ in range(8):
        if len(text) > LONGEST_TEXT:
            return ""
        after = step(text)
        if after == text:
            return after
        text = after
    return ""
