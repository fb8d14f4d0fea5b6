"""Whether two names can be one person's: equal, in another order or script, with initials or a short form, or with less said."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from itertools import permutations
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from .identity import LONGEST_TEXT

if TYPE_CHECKING:
    from nicknames import NickNamer

MOST_WORDS = 12  # of a name; what is longer is compared as a set

# Typed for "I say nothing". "Nil" and "Na" are names.
_NOTHING = re.compile(
    r"n/a|none|null|undefined|unknown|anonymous|(?:sin|no|sem) (?:name|nombre|nome)|an[oó]nim[oa]|(?:без имени|нет|аноним)",
    re.IGNORECASE,
)
_APOSTROPHES = re.compile("['’‘`´ʼʹʺ״׳]")
_NO_LETTERS = re.compile(r"[\W\d_]+")
_TITLE = re.compile(r"\b(?:г-н|г-жа|м-р)\b")
# As `_plain` leaves them. They say nothing of who it is, or are left out as often as not.
_TITLES = frozenset(
    [
        "mr",
        "mrs",
        "ms",
        "miss",
        "mister",
        "dr",
        "dra",
        "prof",
        "sr",
        "sra",
        "srta",
        "don",
        "dona",
        "senor",
        "senora",
        "senhor",
        "senhora",
        "herr",
        "frau",
        "ing",
        "lic",
        "mme",
        "mlle",
        "monsieur",
        "madame",
        "gospodin",
        "gospozha",
        "pan",
        "pani",
        "jr",
        "ii",
        "iii",
    ]
)
_PARTICLES = frozenset(
    [
        "de",
        "del",
        "da",
        "do",
        "das",
        "dos",
        "la",
        "las",
        "los",
        "van",
        "von",
        "der",
        "den",
        "di",
        "du",
        "y",
        "und",
        "the",
    ]
)

# One sound, written in several ways when a name is brought into Latin script.
_SPELLINGS = [
    (re.compile(pattern), sound)
    for pattern, sound in (
        ("shch|sch|tsch|tch", "sh"),
        ("ck|qu|q", "k"),
        ("kh", "h"),
        ("ph", "f"),
        ("th", "t"),
        ("zh", "j"),
        ("ts|tz|cz", "z"),
        ("c(?!h)", "k"),
        ("x", "ks"),
        ("w", "v"),
        ("z", "s"),
        ("[jy]", "i"),
        ("([aou])e", r"\1"),
        (r"(.)\1+", r"\1"),
        ("^i(?=e)", ""),
    )
]
_LETTERS_OF_ONE = frozenset(
    ["ya", "ye", "yo", "yu", "ja", "ju", "zh", "kh", "ts", "ch", "sh"]
)  # initials of Cyrillic names in Latin script
_ABJAD = ("ARABIC", "HEBREW")  # scripts that leave out vowels
_VOWELS = re.compile("[aeiou]")


class Word(NamedTuple):
    plain: str  # in Latin letters without case and accents
    sound: str  # the same for all spellings of it
    initial: bool
    without_vowels: bool


def may_be_one(name: str, other: str) -> bool:
    """Tell whether the names can be one person's.

    Each word of the shorter name must be one of the longer: the same in any script, its initial, or a short form of it.
    A name that says nothing can be anybody's.
    """
    first, second = words(name), words(other)
    if not first or not second or _covers(*sorted((first, second), key=len)):
        return True
    return _as_initials(first, second) or _as_initials(second, first) or _as_written_together(first, second)


def _covers(fewer: Sequence[Word], more: Sequence[Word]) -> bool:
    """Tell whether each of the fewer words has one among the others for itself."""
    if not fewer:
        return True
    word, *others = fewer
    return any(
        _may_be_one_word(word, each) and _covers(others, [*more[:place], *more[place + 1 :]])
        for place, each in enumerate(more)
    )


def _may_be_one_word(one: Word, other: Word) -> bool:
    if one.sound == other.sound:
        return True
    if one.initial or other.initial:
        return one.sound.startswith(other.sound) or other.sound.startswith(one.sound)
    if one.without_vowels or other.without_vowels:
        return _VOWELS.sub("", one.sound) == _VOWELS.sub("", other.sound)
    return is_short_for(one.plain, other.plain)


def is_short_for(one: str, other: str) -> bool:
    """Tell whether one word of a name, in Latin letters, is a short form of the other."""
    return sound(other) in _full_forms(one) or sound(one) in _full_forms(other)


def _as_initials(short: Sequence[Word], name: Sequence[Word]) -> bool:
    """Tell whether one word is the initials of all the others: "RG" of "Rosa Gómez"."""
    return (
        len(short) == 1
        and 1 < len(name) == len(short[0].plain)
        and {
            "".join(each.plain[0] for each in name),
            "".join(each.plain[0] for each in reversed(name)),
        }
        >= {short[0].plain}
    )


def _as_written_together(one: Sequence[Word], other: Sequence[Word]) -> bool:
    """Tell whether the names differ in blanks alone: "Xiaoming Wang", "WangXiaoMing"; "Ana María", "Anamaría"."""
    if len(one) == len(other) or max(len(one), len(other)) > 4:
        return False
    fewer, more = sorted((one, other), key=len)
    return bool(_together(fewer) & _together(more))


def _together(words: Sequence[Word]) -> set[str]:
    return {"".join(word.plain for word in order) for order in permutations(words)}


@lru_cache(maxsize=256)
def words(name: str) -> tuple[Word, ...]:
    """Return what of a name says who it is; nothing for a name that is none."""
    if len(name) > LONGEST_TEXT or "@" in name or _NOTHING.fullmatch(name.strip()):
        return ()
    text = _TITLE.sub(" ", _APOSTROPHES.sub("", unicodedata.normalize("NFKC", name)))
    words = [_word(part) for part in _split(_NO_LETTERS.split(text)) if part]
    telling = [word for word in words if word.plain and word.plain not in _TITLES]
    telling = [word for word in telling if word.plain not in _PARTICLES] or telling
    return tuple(telling[:MOST_WORDS])


def _split(parts: Iterable[str]) -> Iterable[str]:
    """Split what is written without blanks, one sign a syllable: 王小明."""
    for part in parts:
        if part and unicodedata.name(part[0], "").startswith(("CJK", "HANGUL")):
            yield from part
        else:
            yield part


def _word(part: str) -> Word:
    plain = _plain(part)
    return Word(
        plain,
        sound(plain),
        initial=(len(part) == 1 and not unicodedata.name(part, "").startswith(("CJK", "HANGUL")))
        or plain in _LETTERS_OF_ONE,
        without_vowels=unicodedata.name(part[0], "").startswith(_ABJAD),
    )


def _plain(word: str) -> str:
    return "".join(letter for letter in latin(word) if letter.isalpha())


def latin(text: str) -> str:
    """Return the text in Latin letters and lower case, without accents."""
    from anyascii import anyascii  # 2 MB of tables, for who has names to compare

    return anyascii(text.casefold()).lower()


@lru_cache(maxsize=32_768)
def sound(plain: str) -> str:
    """Return the word in the form that all its spellings in Latin letters have."""
    for spelling, letters in _SPELLINGS:
        plain = spelling.sub(letters, plain)
    return plain


@lru_cache(maxsize=32_768)
def _full_forms(short: str) -> frozenset[str]:
    """Return the sounds of names that this is short for."""
    return frozenset(_short_forms().get(sound(short), ())) | frozenset(map(sound, _english().canonicals_of(short)))


@cache
def _short_forms() -> dict[str, set[str]]:
    """Return, by the sound of a short form, the sounds of the names that it stands for."""
    names: dict[str, set[str]] = {}
    for line in (Path(__file__).parent / "short_forms.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            full, *shorter = (sound(_plain(word)) for word in line.split())
            for short in shorter:
                names.setdefault(short, set()).add(full)
    return names


@cache
def _english() -> NickNamer:
    from nicknames import NickNamer

    return NickNamer()
