"""Pruning: what the file does not name goes, in the sections that the file has.

Nothing that leads or their history refer to is destroyed: a manager or a source in use becomes inactive, a trigger in
use no longer runs, a schedule or a registry in use is kept. A stage in use is refused: its leads must go somewhere.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Any

from django.db.models import Count, Model

from accounts.models import Manager, User, WorkSchedule
from routing.models import Adjustment, Decision, Lead, Ledger, Pipeline, Placeholder, Registry, Source, Stage, Trigger

from .places import Errors
from .report import ONE, Change, ImportReport
from .rows import Stored
from .shapes import ParsedFile


def prune_unnamed(given: ParsedFile, stored: Stored, report: ImportReport, errors: Errors) -> None:
    """Remove what the file does not name, after all that it names is written; add what cannot be to the errors."""
    # From what refers to what is referred to.
    if "triggers" in given.sections:
        _prune_triggers(_rows_not_in_file("triggers", given, stored), report)
    if "registries" in given.sections:
        _prune_or_keep(Registry, "registries", _rows_not_in_file("registries", given, stored), report)
    if "managers" in given.sections:
        _prune_managers(_rows_not_in_file("managers", given, stored), report)
    if "sources" in given.sections:
        _prune_sources(_rows_not_in_file("sources", given, stored), report)
    if "placeholders" in given.sections:
        _delete(Placeholder, "placeholders", _rows_not_in_file("placeholders", given, stored), report)
    if "pipelines" in given.sections:
        _prune_stages(given, stored, report, errors)
    if "schedules" in given.sections:
        _prune_or_keep(WorkSchedule, "schedules", _rows_not_in_file("schedules", given, stored), report)
    gone = {(change.kind, change.key) for change in report.removals} | {(kind, key) for kind, key, _ in report.kept}
    report.unnamed = [entry for entry in report.unnamed if entry not in gone]


def _rows_not_in_file(kind: str, given: ParsedFile, stored: Stored) -> dict[str, Any]:
    return {key: row for key, row in stored.rows[kind].items() if key not in given.named[kind]}


def _references_to(model: type[Model], rows: Iterable[Any]) -> dict[Any, str]:
    """Return what refers to each of the rows and forbids to delete it: id -> the kinds of it, as words."""
    ids = [row.pk for row in rows]
    found: dict[Any, list[str]] = defaultdict(list)
    relations: list[Any] = list(model._meta.get_fields(include_hidden=True))
    for relation in relations:
        if (
            not ids
            or not relation.auto_created
            or relation.concrete
            or not (relation.one_to_many or relation.one_to_one)
        ):
            continue
        if relation.on_delete.__name__ not in ("PROTECT", "RESTRICT"):
            continue
        name, referring = relation.field.attname, relation.related_model
        words = str(referring._meta.verbose_name_plural)
        for pk in (
            referring._base_manager.filter(**{f"{name}__in": ids}).order_by().values_list(name, flat=True).distinct()
        ):
            if words not in found[pk]:
                found[pk].append(words)
    return {pk: ", ".join(words) for pk, words in found.items()}


def _delete(model: type[Model], kind: str, rows: dict[str, Any], report: ImportReport) -> None:
    model._default_manager.filter(pk__in=[row.pk for row in rows.values()]).delete()
    report.changes += [Change("remove", ONE[kind], key) for key in rows]


def _prune_or_keep(model: type[Model], kind: str, rows: dict[str, Any], report: ImportReport) -> None:
    wanted = _references_to(model, rows.values())
    if model is Registry:
        for pk in (
            Adjustment.objects.filter(registry__in=rows.values()).values_list("registry_id", flat=True).distinct()
        ):
            wanted.setdefault(pk, "adjustments")
    report.kept += [(ONE[kind], key, f"{wanted[row.pk]} refer to it") for key, row in rows.items() if row.pk in wanted]
    _delete(model, kind, {key: row for key, row in rows.items() if row.pk not in wanted}, report)


def _prune_triggers(rows: dict[str, Trigger], report: ImportReport) -> None:
    wanted = _references_to(Trigger, rows.values())
    for pk in Adjustment.objects.filter(registry__trigger__in=rows.values()).values_list(
        "registry__trigger_id", flat=True
    ):
        wanted.setdefault(pk, "adjustments")
    for code, row in rows.items():
        if row.pk in wanted and row.on:
            # Leads that it distributes still find their way; new ones come by it no more.
            report.changes.append(Change("turn off", "trigger", code, {"on": (row.on, [])}))
            Trigger.objects.filter(pk=row.pk).update(on=[])
    _delete(Trigger, "triggers", {code: row for code, row in rows.items() if row.pk not in wanted}, report)


def _prune_managers(rows: dict[str, Manager], report: ImportReport) -> None:
    wanted = _in_history(rows) | _references_to(Manager, rows.values())
    _deactivate(Manager, "managers", {email: row for email, row in rows.items() if row.pk in wanted}, report)
    unused = {email: row for email, row in rows.items() if row.pk not in wanted}
    _delete(Manager, "managers", unused, report)
    # A user that came with the manager, and never set a password, was for nothing else.
    users = [row.user for row in unused.values() if not row.user.has_usable_password() and not row.user.is_staff]
    User.objects.filter(pk__in=[user.pk for user in users], keys=None, last_login=None).delete()


def _in_history(rows: dict[str, Manager]) -> dict[Any, str]:
    """Return the managers who may stand in a decision, or have a balance: both name them by number only."""
    standing: set[int] = set()
    for managers in Ledger.objects.values_list("managers", flat=True) if rows else ():
        standing.update(managers)
    newest = Decision.objects.order_by("-id").first()
    return {
        row.pk: "decisions"
        for row in rows.values()
        if row.pk in standing or (newest and newest.at >= row.user.date_joined)
    }


def _prune_sources(rows: dict[str, Source], report: ImportReport) -> None:
    wanted = _references_to(Source, rows.values())
    _deactivate(Source, "sources", {code: row for code, row in rows.items() if row.pk in wanted}, report)
    _delete(Source, "sources", {code: row for code, row in rows.items() if row.pk not in wanted}, report)


def _deactivate(model: type[Any], kind: str, rows: dict[str, Any], report: ImportReport) -> None:
    active = {key: row for key, row in rows.items() if row.active}
    if active:
        model.objects.filter(pk__in=[row.pk for row in active.values()]).update(active=False)
    report.changes += [Change("deactivate", ONE[kind], key, {"active": (True, False)}) for key in active]


def _prune_stages(given: ParsedFile, stored: Stored, report: ImportReport, errors: Errors) -> None:
    """Remove stages of pipelines that the file names with their stages, and whole pipelines that it does not name."""
    whole = {code for code, pipeline in given.named["pipelines"].items() if not pipeline.gives("stages")}
    rows = {
        path: row
        for path, row in _rows_not_in_file("stages", given, stored).items()
        if path.partition("/")[0] not in whole
    }
    refused = _refuse_stages_in_use(rows, given, errors)
    _delete(Stage, "stages", {path: row for path, row in rows.items() if path not in refused}, report)
    if not refused:
        _delete(Pipeline, "pipelines", _rows_not_in_file("pipelines", given, stored), report)


def _refuse_stages_in_use(rows: dict[str, Stage], given: ParsedFile, errors: Errors) -> Collection[str]:
    ids = [row.pk for row in rows.values()]
    leads = dict(Lead.objects.filter(stage__in=ids).order_by().values_list("stage").annotate(Count("id")))
    triggers: dict[int, list[str]] = defaultdict(list)
    for stage_id, code in Trigger.objects.filter(stage__in=ids).values_list("stage_id", "code"):
        triggers[stage_id].append(code)
    for stage_id, code in Trigger.objects.filter(limit_stages__in=ids).values_list("limit_stages", "code"):
        triggers[stage_id].append(code)
    wanted = _references_to(Stage, rows.values())
    refused = []
    for path, row in rows.items():
        pipeline = given.named["pipelines"].get(path.partition("/")[0])
        place = pipeline.place_of("stages").place if pipeline else "pipelines"
        if row.pk in leads:
            why = f"{leads[row.pk]} leads stand in it; move them to another stage, or name it in the file"
        elif triggers[row.pk]:
            why = f"trigger {', '.join(sorted(set(triggers[row.pk])))} needs it; name it in the file"
        elif row.pk in wanted:
            why = f"{wanted[row.pk]} refer to it; name it in the file"
        else:
            continue
        errors.note(place, f'stage "{path}" cannot be removed: {why}')
        refused.append(path)
    return refused
