"""Cells in which a formula failed: a spreadsheet shows an error there, which is nobody's name and no amount."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.translation import gettext as _

from .workbook import letters_of

# As workbooks store them, and as CSV has them in English, Russian, Spanish and Portuguese.
ERRORS = {
    "#N/A", "#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#SPILL!", "#CALC!", "#FIELD!", "#BLOCKED!",
    "#CONNECT!", "#UNKNOWN!", "#BUSY!", "#GETTING_DATA", "#ERROR!",
    "#Н/Д", "#ПУСТО!", "#ДЕЛ/0!", "#ЗНАЧ!", "#ССЫЛКА!", "#ИМЯ?", "#ЧИСЛО!",
    "#N/D", "#¡NULO!", "#¡DIV/0!", "#¡VALOR!", "#¡REF!", "#¿NOMBRE?", "#¡NUM!",
    "#NULO!", "#VALOR!", "#NOME?", "#NÚM!",
}  # fmt: skip


def without_errors(
    header: Sequence[str], cells: Sequence[str], ignored: Sequence[bool]
) -> tuple[Sequence[str], list[str]]:
    """Return the cells of a row without those in which a formula failed, and what is to be said of these."""
    failed = [
        place
        for place, (cell, is_ignored) in enumerate(zip(cells, ignored, strict=False))
        if cell[:1] == "#" and cell in ERRORS and not is_ignored
    ]
    if not failed:
        return cells, []
    left = ["" if place in failed else cell for place, cell in enumerate(cells)]
    return left, [
        _(
            "Column %(letters)s (%(title)s): the spreadsheet shows the error %(error)s. Fix the formula, or clear the cell."
        )
        % {"letters": letters_of(place), "title": header[place], "error": cells[place]}
        for place in failed
    ]
