"""What a trigger does, in sentences that people read. Pure: plain values in, text out, in the language that is active."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext, ngettext, pgettext


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerFacts:
    """What the sentences say of a trigger. The codes are those of the configuration file."""

    stage: str  # as people call it
    on: Collection[str]  # created, moved
    method: str  # fair_share, totals, least_loaded, direct, performance
    coefficients: Sequence[int] = ()  # of the members; none: all active managers
    when: Sequence[str] = ()  # conditions, each in words
    online_only: bool = False
    limit: int | None = None  # leads
    responsible_check: Sequence[str] = ()  # contact, company
    minutes: int | None = None  # to accept within; None: no acceptance asked
    clock: str = "wall"
    max_attempts: int | None = None
    final_step: str = "wait"
    if_nobody: str = "wait"
    duty: str = ""  # the name of the manager on duty


def headline(told: TriggerFacts) -> str:
    """Return what the trigger does, in one sentence."""
    if not told.on:
        return gettext("Turned off: no event runs it.")
    parts = [_who_gets_them(told), *_conditions(told), *_acceptance(told)]
    return pgettext("between the parts of a sentence", "; ").join(parts) + pgettext("ends a sentence", ".")


def details(told: TriggerFacts) -> list[str]:
    """Return what else there is to know, a sentence each."""
    found = []
    if told.responsible_check:
        found.append(_old_customers(told))
    if told.online_only:
        found.append(gettext("Only managers who are online take part."))
    if told.limit is not None:
        found.append(
            ngettext("Nobody holds more than %(count)d lead.", "Nobody holds more than %(count)d leads.", told.limit)
            % {"count": told.limit}
        )
    found.append(_if_nobody(told))
    return found


def _who_gets_them(told: TriggerFacts) -> str:
    parts = {"leads": _leads(told), "whom": _whom(told), "how": _how(told)}
    return gettext("%(leads)s go to %(whom)s %(how)s") % parts


def _leads(told: TriggerFacts) -> str:
    if set(told.on) == {"created"}:
        sentence = pgettext("the leads of a trigger", "New leads in %(stage)s")
    elif set(told.on) == {"moved"}:
        sentence = pgettext("the leads of a trigger", "Leads moved into %(stage)s")
    else:
        sentence = pgettext("the leads of a trigger", "Leads created in or moved into %(stage)s")
    return sentence % {"stage": told.stage}


def _whom(told: TriggerFacts) -> str:
    if not told.coefficients:
        return pgettext("leads go to", "all active managers")
    count = len(told.coefficients)
    return ngettext("%(count)d manager", "%(count)d managers", count) % {"count": count}


def _how(told: TriggerFacts) -> str:
    weighted = len(set(told.coefficients)) > 1
    ways = {
        "fair_share": pgettext("how leads are shared", "by coefficient")
        if weighted
        else pgettext("how leads are shared", "in equal shares"),
        "totals": pgettext("how leads are shared", "so that their totals even out"),
        "least_loaded": pgettext("how leads are shared", "by fewest leads held"),
        "direct": pgettext("how leads are shared", "in order: the first available manager gets the lead"),
        "performance": pgettext("how leads are shared", "by performance"),
    }
    return ways.get(told.method, told.method)


def _conditions(told: TriggerFacts) -> list[str]:
    if not told.when:
        return []
    joined = pgettext("between conditions", " and ").join(told.when)
    return [pgettext("conditions of a trigger", "only if %(conditions)s") % {"conditions": joined}]


def _acceptance(told: TriggerFacts) -> list[str]:
    if told.minutes is None:
        return []
    if told.clock == "working":
        late = ngettext(
            "if not accepted within %(minutes)d working minute, they go to the next manager",
            "if not accepted within %(minutes)d working minutes, they go to the next manager",
            told.minutes,
        )
    else:
        late = ngettext(
            "if not accepted within %(minutes)d minute, they go to the next manager",
            "if not accepted within %(minutes)d minutes, they go to the next manager",
            told.minutes,
        )
    return [", ".join([late % {"minutes": told.minutes}, *_attempts(told), _finally(told)])]


def _attempts(told: TriggerFacts) -> list[str]:
    if told.max_attempts is None:
        return []
    return [
        ngettext("up to %(count)d attempt", "up to %(count)d attempts", told.max_attempts)
        % {"count": told.max_attempts}
    ]


def _finally(told: TriggerFacts) -> str:
    if told.final_step == "duty":
        return gettext("then to %(name)s") % {"name": told.duty or "…"}
    ways = {
        "keep": gettext("then they stay with the last manager"),
        "restart": gettext("then a new round starts"),
    }
    return ways.get(told.final_step, gettext("then they wait"))


def _if_nobody(told: TriggerFacts) -> str:
    if told.if_nobody == "duty":
        return gettext("If nobody is available, they go to %(name)s.") % {"name": told.duty or "…"}
    return gettext("If nobody is available, they wait for the first manager who is.")


def _old_customers(told: TriggerFacts) -> str:
    whose = {
        ("contact",): gettext("A lead from a known contact goes to the manager responsible for the contact."),
        ("company",): gettext("A lead from a known company goes to the manager responsible for the company."),
        ("contact", "company"): gettext(
            "A lead from a known contact, or else a known company, goes to the manager responsible for it."
        ),
        ("company", "contact"): gettext(
            "A lead from a known company, or else a known contact, goes to the manager responsible for it."
        ),
    }
    return whose[tuple(told.responsible_check)]
