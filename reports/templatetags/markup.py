"""Charts and tables as markup: hundreds of shapes and cells, which a template's loops write five times as slowly."""

from __future__ import annotations

from functools import singledispatch

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from reports.drawing import Box, Curve, Drawing, Line, Shape, Text
from reports.tables import Table

register = template.Library()


@register.filter
def shapes(drawing: Drawing) -> SafeString:
    return format_html_join("\n", "{}", ((element(shape),) for shape in drawing.shapes))


@singledispatch
def element(shape: Shape) -> SafeString:
    raise TypeError(f"No element of SVG shows {shape!r}.")


@element.register
def _(curve: Curve) -> SafeString:
    return format_html(
        '<path d="{}" fill="none" stroke="{}" stroke-width="{}" stroke-opacity="{}"/>',
        curve.path, curve.paint, curve.width, curve.opacity,
    )  # fmt: skip


@element.register
def _(box: Box) -> SafeString:
    return format_html(
        '<rect x="{}" y="{}" width="{}" height="{}" rx="{}" fill="{}" fill-opacity="{}">{}</rect>',
        box.x, box.y, box.width, box.height, box.rounded, box.paint, box.opacity,
        format_html("<title>{}</title>", box.title) if box.title else "",
    )  # fmt: skip


@element.register
def _(line: Line) -> SafeString:
    return format_html(
        '<polyline points="{}" fill="none" stroke="{}" stroke-width="{}" stroke-opacity="{}" stroke-linejoin="round"/>',
        line.path, line.paint, line.width, line.opacity,
    )  # fmt: skip


@element.register
def _(text: Text) -> SafeString:
    return format_html(
        '<text x="{}" y="{}" font-size="{}" text-anchor="{}" fill="{}" fill-opacity="{}" font-weight="{}">{}</text>',
        text.x, text.y, text.size, text.anchor, text.paint, text.opacity, 600 if text.bold else 400, text.text,
    )  # fmt: skip


@register.filter
def body(table: Table) -> SafeString:
    """Return the rows of the table, each with its first cell as its heading."""
    row = '<tr><th scope="row">{}</th>' + "<td>{}</td>" * (len(table.columns) - 1) + "</tr>"
    return format_html_join("\n", row, table.texts)
