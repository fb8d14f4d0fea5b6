"""The ring of sources is arithmetic: arcs in proportion to the longest, in a fixed order of colours."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.rings import COLORS, arcs

ALL = dict.fromkeys(COLORS, True)
COUNTS = st.fixed_dictionaries({channel: st.integers(0, 10**9) for channel in COLORS})
ACTIVE = st.fixed_dictionaries({channel: st.booleans() for channel in COLORS})


def by_channel(counts, active=ALL):
    return {arc.channel: arc for arc in arcs(counts, active)}


def test_the_channel_with_most_leads_is_the_outermost_and_the_others_are_in_proportion_to_it():
    ring = by_channel({"site": 10, "phone": 40, "mail": 20, "api": 1})
    assert (ring["phone"].ring, ring["phone"].angle, ring["phone"].percent) == (1, 270, 100)
    assert (ring["mail"].ring, ring["mail"].angle, ring["mail"].percent) == (2, 135, 50)
    assert (ring["site"].ring, ring["site"].angle, ring["site"].percent) == (3, 67.5, 25)
    assert (ring["api"].ring, ring["api"].angle, ring["api"].percent) == (4, 6.75, 2.5)
    assert (ring["chat"].ring, ring["chat"].angle, ring["chat"].percent, ring["chat"].count) == (None, 0, 0, 0)


def test_colours_belong_to_the_channels_whatever_their_order_in_the_ring():
    expected = ["lilac", "blue", "yellow", "red", "green"]
    assert [arc.color for arc in arcs({"chat": 9, "site": 1}, ALL)] == expected
    assert [arc.color for arc in arcs({}, ALL)] == expected


def test_of_equal_channels_the_first_in_the_order_of_colours_is_further_out():
    ring = by_channel({"chat": 5, "api": 5, "mail": 7, "site": 5})
    assert [ring[c].ring for c in ("mail", "site", "api", "chat")] == [1, 2, 3, 4]
    assert {ring[c].angle for c in ("site", "api", "chat")} == {270 * 5 / 7}


def test_an_inactive_channel_is_grey_and_not_counted():
    ring = by_channel({"site": 100, "phone": 3}, {**ALL, "site": False})
    assert (ring["site"].color, ring["site"].active, ring["site"].count, ring["site"].ring) == ("grey", False, 0, None)
    assert (ring["phone"].ring, ring["phone"].angle) == (1, 270)


@given(counts=COUNTS, active=ACTIVE)
def test_arcs_keep_their_bounds_and_their_order(counts, active):
    ring = arcs(counts, active)
    assert [arc.channel for arc in ring] == list(COLORS)
    shown = sorted((arc for arc in ring if arc.ring), key=lambda arc: arc.ring)
    assert [arc.ring for arc in shown] == list(range(1, len(shown) + 1))
    assert all(outer.count >= inner.count for outer, inner in pairwise(shown))
    assert all(0 < arc.angle <= 270 for arc in shown)
    assert not shown or shown[0].angle == 270
    assert sum(arc.count for arc in ring) == sum(counts[channel] for channel in COLORS if active[channel])


@given(counts=COUNTS, active=ACTIVE, factor=st.integers(1, 1000))
def test_twice_as_many_leads_of_each_channel_draw_the_same_ring(counts, active, factor):
    more = arcs({channel: count * factor for channel, count in counts.items()}, active)
    for one, other in zip(arcs(counts, active), more, strict=True):
        assert (one.ring, one.color) == (other.ring, other.color)
        assert one.angle == pytest.approx(other.angle)
