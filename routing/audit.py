"""The promises, checked against the rows: what an operator's doctor, the tests and the benchmarks ask."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

from django.db import connection
from django.db.models import Sum

from .models import Adjustment, Decision, Ledger
from .representations import refusals, replay

# Each finds rows that must not be. Their sentences are those of the promises.
IMPOSSIBLE = {
    "a load that is not the number of leads held": """
        SELECT coalesce(l.manager_id, c.responsible_id), coalesce(l.stage_id, c.stage_id), l.leads, c.leads
        FROM (SELECT * FROM routing_load WHERE leads <> 0) l FULL JOIN (
            SELECT responsible_id, stage_id, count(*) AS leads FROM routing_lead
            WHERE responsible_id IS NOT NULL GROUP BY 1, 2) c
        ON l.manager_id = c.responsible_id AND l.stage_id = c.stage_id WHERE l.leads IS DISTINCT FROM c.leads""",
    "a lead on offer without an open offer to its responsible": """
        SELECT lead.id FROM routing_lead lead LEFT JOIN routing_offer offer ON offer.lead_id = lead.id AND offer.closed_at IS NULL
        WHERE lead.state = 'offered' AND offer.manager_id IS DISTINCT FROM lead.responsible_id""",
    "an open offer of a lead that is not on offer": """
        SELECT offer.id FROM routing_offer offer JOIN routing_lead lead ON lead.id = offer.lead_id
        WHERE offer.closed_at IS NULL AND lead.state <> 'offered'""",
    "a lead that waits though its trigger stands on another stage": """
        SELECT lead.id FROM routing_lead lead JOIN routing_trigger t ON t.id = lead.trigger_id
        WHERE lead.state = 'waiting' AND t.stage_id <> lead.stage_id""",
    "two leads of one number from one source": """
        SELECT source_id, external_id FROM routing_lead WHERE external_id IS NOT NULL GROUP BY 1, 2 HAVING count(*) > 1""",
    "a decision by a version of the configuration that there never was": """
        SELECT d.id, d.version FROM routing_decision d LEFT JOIN accounts_configurationversion v ON true
        WHERE d.version > coalesce(v.version, 0)""",
    "two times of a manager online that overlap": """
        SELECT manager_id, began_at FROM (
            SELECT manager_id, began_at, lag(seen_at) OVER (PARTITION BY manager_id ORDER BY began_at) AS before
            FROM accounts_onlinetime) one
        WHERE before >= began_at""",
    "a turn of a registry that is missing": """
        SELECT registry_id, turn FROM routing_ledger WHERE turn > 0 AND turn <> (
            SELECT count(*) FROM routing_decision d WHERE d.registry_id = routing_ledger.registry_id AND d.counted)""",
}
# The same, but they read the story of every lead.
TOLD_OTHERWISE = {
    "a lead that was assigned before it says so": """
        SELECT lead.id, lead.assigned_at, told.at FROM routing_lead lead JOIN (
            SELECT lead_id, min(at) AS at FROM (
                SELECT lead_id, at FROM routing_decision WHERE outcome = 'assigned' UNION ALL
                SELECT lead_id, at FROM routing_leadevent WHERE kind IN ('reassigned', 'handed_over')) one
            GROUP BY lead_id) told ON told.lead_id = lead.id
        WHERE lead.assigned_at IS DISTINCT FROM least(lead.assigned_at, told.at)""",
    "a lead that was first accepted at another instant, or by another, than it says": """
        SELECT lead.id, lead.accepted_at, told.at FROM routing_lead lead LEFT JOIN (
            SELECT DISTINCT ON (lead_id) lead_id, closed_at AS at, manager_id FROM routing_offer WHERE outcome = 'accepted'
            ORDER BY lead_id, closed_at, id) told ON told.lead_id = lead.id
        WHERE (lead.accepted_at, lead.accepted_by_id) IS DISTINCT FROM (told.at, told.manager_id)""",
}


def violations(*, decisions: bool = True) -> Iterator[str]:
    """Yield each broken promise, as a sentence. decisions: run the engine again on every stored decision, too."""
    yield from impossible()
    yield from findings(TOLD_OTHERWISE)
    yield from wrong_balances()
    if decisions:
        yield from differing_decisions()


def impossible() -> Iterator[str]:
    """Yield what single statements find."""
    yield from findings(IMPOSSIBLE)


def findings(statements: Mapping[str, str]) -> Iterator[str]:
    for sentence, statement in statements.items():
        with connection.cursor() as cursor:
            cursor.execute(statement)
            yield from (f"{sentence}: {row}" for row in cursor.fetchmany(20))


# Who holds more than a limit allows: by hand, or because it was lowered since. No decision makes it so.
OVER_LIMIT = """
WITH counted AS (
    SELECT t.id AS trigger, s.id AS stage FROM routing_trigger t JOIN routing_stage s ON CASE
        WHEN EXISTS (SELECT FROM routing_trigger_limit_stages x WHERE x.trigger_id = t.id)
        THEN EXISTS (SELECT FROM routing_trigger_limit_stages x WHERE x.trigger_id = t.id AND x.stage_id = s.id)
        ELSE s.kind IN ('unqualified', 'open') END
), held AS (
    SELECT c.trigger, l.manager_id, sum(l.leads) AS leads
    FROM counted c JOIN routing_load l ON l.stage_id = c.stage WHERE l.leads > 0 GROUP BY 1, 2)
SELECT t.code, h.manager_id, h.leads, coalesce(m."limit", t."limit")
FROM held h JOIN routing_trigger t ON t.id = h.trigger
LEFT JOIN routing_member m ON m.trigger_id = t.id AND m.manager_id = h.manager_id
WHERE h.leads > coalesce(m."limit", t."limit")
  AND (m.id IS NOT NULL OR NOT EXISTS (SELECT FROM routing_member x WHERE x.trigger_id = t.id))
ORDER BY 1, 2
"""


def over_limits() -> Iterator[str]:
    """Yield each manager who holds more leads than a limit of a trigger."""
    with connection.cursor() as cursor:
        cursor.execute(OVER_LIMIT)
        for trigger, manager, held, limit in cursor.fetchall():
            yield f"trigger {trigger}: manager {manager} holds {held} leads, the limit is {limit}"


def count_broken_sums() -> int:
    """Return how many ledgers do not add up to what was deliberately added; their constraint allows none."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM routing_ledger WHERE leadrouter_sum(balances) <> added")
        return int(cursor.fetchone()[0])


def wrong_balances() -> Iterator[str]:
    """Yield each manager whose balance is not what the decisions and adjustments of the registry come to."""
    due: dict[int, Counter[int]] = defaultdict(Counter)
    for row in Decision.objects.filter(counted=True).select_related("lineup").iterator():
        after = replay(row).balances
        due[row.registry_id].update(
            {m: b - a for m, a, b in zip(row.lineup.managers, row.balances, after, strict=True)}
        )
    for adjusted in Adjustment.objects.values("registry", "manager").annotate(total=Sum("amount")).order_by():
        due[adjusted["registry"]][adjusted["manager"]] += adjusted["total"]
    for ledger in Ledger.objects.all():
        stands = {manager: standing.balance for manager, standing in ledger.standings.items()}
        for manager in stands.keys() | due[ledger.pk].keys():
            if stands.get(manager, 0) != due[ledger.pk][manager]:
                yield (
                    f"registry {ledger.pk}: the balance of manager {manager} is {stands.get(manager, 0)}, "
                    f"by the decisions it is {due[ledger.pk][manager]}"
                )


def differing_decisions() -> Iterator[str]:
    """Yield each decision that the engine would take otherwise on what it saw."""
    for row in Decision.objects.select_related("lineup").iterator():
        again = replay(row)
        chosen = None if again.chosen is None else row.lineup.managers[again.chosen]
        if (chosen, again.reason, list(again.refusals)) != (row.chosen_id, row.reason, refusals(row)):
            yield f"decision {row.pk}: the engine now says {chosen} ({again.reason}), the row {row.chosen_id} ({row.reason})"
