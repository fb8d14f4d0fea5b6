"""Addresses under /api/v1/, each with and without its last slash; the schema shows them without."""

from collections.abc import Iterator

from django.urls import URLPattern, path, register_converter

from . import duplicates, views


class EmailConverter:
    """An address: the part before the @ may hold a slash."""

    regex = r".+@[^/]+"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(EmailConverter, "email")

PLACES: dict[str, type[views.ApiView]] = {
    "leads": views.LeadsView,
    "leads/bulk": views.BulkView,
    "leads/<str:lead_id>": views.LeadView,
    "leads/<str:lead_id>/decisions": views.DecisionsView,
    "leads/<str:lead_id>/activities": views.ActivitiesView,
    "leads/<str:lead_id>/accept": views.AcceptView,
    "leads/<str:lead_id>/decline": views.DeclineView,
    "leads/<str:lead_id>/move": views.MoveView,
    "leads/<str:lead_id>/reassign": views.ReassignView,
    "leads/<str:lead_id>/credit-back": views.CreditBackView,
    "managers": views.ManagersView,
    "managers/<email:email>/pause": views.PauseView,
    "managers/<email:email>/resume": views.ResumeView,
    "managers/<email:email>/hand-over": views.HandOverView,
    "managers/<email:email>": views.ManagerView,
    "duplicates": duplicates.DuplicatesView,
    "contacts/<str:contact_id>/merge": duplicates.MergeView,
    "merges/<str:merge_id>/undo": duplicates.UndoMergeView,
    "hand-overs/<str:hand_over_id>": views.HandOverBatchView,
    "hand-overs/<str:hand_over_id>/undo": views.UndoView,
}


def _patterns() -> Iterator[URLPattern]:
    for place, view in PLACES.items():
        yield path(place, view.as_view())
        yield path(f"{place}/", view.as_view(schema=None))


urlpatterns = list(_patterns())
