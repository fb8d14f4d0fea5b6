"""`make messages`: the catalogues of translations brought in step with the texts, and compiled.

Needs nothing but Python and Babel (of the dev group): no gettext. What is compiled is committed, because whoever installs
the program has neither. Unfold brings no translations of its own, so its texts are taken into ours: those of each version
that requirements.txt gives to some Python. One environment has one of them; `locale/theme.json` has the texts of all.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from io import BytesIO
from pathlib import Path

import django
import unfold
from babel.messages import Catalog, Message
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.conf import settings
from django.utils.translation import to_locale
from django.utils.translation.template import templatize

from .. import labels

ROOT = Path(__file__).resolve().parents[2]
THEME = ROOT / "locale" / "theme.json"
OURS = ("accounts", "routing", "reports", "leadrouter", "templates")
NO_DATE = datetime(2026, 1, 1, tzinfo=UTC)
LEFT_OUT = {"migrations", "tests", "static", "demo"}
# Names by which the functions of gettext go here, and where in a call the texts stand.
KEYWORDS = {
    **dict.fromkeys(("_", "_now", "gettext", "gettext_lazy", "gettext_noop"), None),
    **dict.fromkeys(("ngettext", "ngettext_lazy"), (1, 2)),
    **dict.fromkeys(("pgettext", "pgettext_lazy"), ((1, "c"), 2)),
    **dict.fromkeys(("npgettext", "npgettext_lazy"), ((1, "c"), 2, 3)),
}


def languages() -> list[str]:
    """Return the languages that need a catalogue: all but the one the texts are written in."""
    return [code for code, _name in settings.LANGUAGES if code != settings.LANGUAGE_CODE]


def path_of(language: str) -> Path:
    return Path(settings.LOCALE_PATHS[0]) / to_locale(language) / "LC_MESSAGES" / "django.po"


def sources(*places: Path) -> Iterator[Path]:
    for place in places:
        for path in sorted(place.rglob("*")):
            if path.suffix in (".py", ".html", ".svg", ".txt") and not LEFT_OUT & set(path.relative_to(place).parts):
                yield path


def code_of(path: Path) -> bytes:
    """Return the file as Python, as far as its texts go: of a template just the calls that Django makes of its tags."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        text = "\n".join(line.strip() for line in templatize(text, origin=str(path)).splitlines())
    return text.encode()


Text = tuple[str | None, str | tuple[str, ...]]  # a context, and a text or its singular and plural


def texts_in(files: Iterable[Path]) -> Iterator[Text]:
    for path in files:
        for _line, texts, _comments, context in extract("python", BytesIO(code_of(path)), KEYWORDS):
            yield context, texts


def versions_of_the_theme() -> set[str]:
    """Return the versions that requirements.txt gives to one Python or another."""
    return set(re.findall(r"(?m)^django-unfold==([^\s;]+)", (ROOT / "requirements.txt").read_text()))


def texts_of_the_theme() -> dict[str, list[Text]]:
    """Return the theme's texts by its version: of the one that is here as it is, of others as they were noted."""
    noted = json.loads(THEME.read_text()) if THEME.exists() else {}
    texts: dict[str, list[Text]] = {
        name: [(context, tuple(text) if isinstance(text, list) else text) for context, text in noted[name]]
        for name in noted
        if name in versions_of_the_theme()
    }
    here = set(texts_in(sources(Path(unfold.__file__).parent)))
    return texts | {version("django-unfold"): sorted(here, key=str)}


def note_the_theme(texts: dict[str, list[Text]]) -> None:
    lines = [
        f" {json.dumps(name)}: [\n"
        + ",\n".join(f"  {json.dumps(text, ensure_ascii=False)}" for text in texts[name])
        + "]"
        for name in sorted(texts)
    ]
    THEME.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def template() -> Catalog:
    """Return the catalogue of all texts there are, without translations."""
    found = Catalog(project="Leadrouter", charset="utf-8")
    ours = texts_in(sources(*(ROOT / name for name in OURS)))
    theme = (text for texts in texts_of_the_theme().values() for text in texts)
    for context, texts in (*ours, *theme):
        found.add(texts, context=context, flags=["python-format"] if "%(" in str(texts) else [])
    for text in labels.texts():
        found.add(text, context=labels.CONTEXT)
    return found


def read_catalogue(language: str) -> Catalog:
    """Return the catalogue of the language as it is kept; empty where there is none yet."""
    path = path_of(language)
    if not path.exists():
        return Catalog(locale=to_locale(language), project="Leadrouter", charset="utf-8")
    with path.open("rb") as file:
        return read_po(file, locale=to_locale(language))


def is_translated(message: Message) -> bool:
    strings = message.string if isinstance(message.string, tuple | list) else [message.string]
    return all(strings)


def compile_catalogue(catalogue: Catalog) -> bytes:
    """Return the translations as gettext reads them; what has none yet is left out, and so stays English."""
    done = Catalog(  # without today's date: the same translations make the same file
        locale=catalogue.locale, project="Leadrouter", charset="utf-8", creation_date=NO_DATE, revision_date=NO_DATE
    )
    for message in catalogue:
        if message.id and is_translated(message) and not message.fuzzy:
            done.add(message.id, message.string, context=message.context)
    file = BytesIO()
    write_mo(file, done)
    return file.getvalue()


def update(language: str, texts: Catalog) -> None:
    """Add new texts, drop those that are gone, keep every translation, and compile."""
    catalogue = read_catalogue(language)
    catalogue.update(texts, no_fuzzy_matching=True, update_creation_date=False)
    catalogue.obsolete.clear()
    path = path_of(language)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        write_po(file, catalogue, width=120, no_location=True, sort_output=True, omit_header=False)
    path.with_suffix(".mo").write_bytes(compile_catalogue(catalogue))
    missing = sum(1 for message in catalogue if message.id and not is_translated(message))
    sys.stdout.write(f"{language}: {len(catalogue)} texts, {missing} without a translation\n")


def main() -> None:
    django.setup()
    note_the_theme(texts_of_the_theme())
    if missing := versions_of_the_theme() - texts_of_the_theme().keys():
        sys.stdout.write(
            f"Also run it by a Python that has django-unfold {', '.join(missing)}: its texts are not known.\n"
        )
    texts = template()
    for language in languages():
        update(language, texts)


if __name__ == "__main__":
    main()
