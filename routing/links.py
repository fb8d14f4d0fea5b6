"""Links that accept an offer with one click, for messages: signed, for one offer and one manager, good until it closes."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.core.signing import BadSignature, Signer
from django.urls import reverse

from .models import Offer

SIGNER = Signer(salt="routing.links.accept")


def accept_path(offer: Offer) -> str:
    return reverse("accept-link", args=[SIGNER.sign_object([offer.pk, offer.manager_id])])


def accept_paths(leads: Iterable[UUID]) -> dict[UUID, tuple[int, str]]:
    """Return for each lead on offer its manager and the path of the link."""
    offers = Offer.objects.open().filter(lead__in=list(leads))
    return {offer.lead_id: (offer.manager_id, accept_path(offer)) for offer in offers}


def offer_of_link(token: str) -> Offer | None:
    """Return the offer of a link; None: the link is forged, or its manager may no longer sign in."""
    try:
        offer_id, manager_id = SIGNER.unsign_object(token)
    except BadSignature:
        return None
    offers = Offer.objects.select_related("lead", "manager__user")
    return offers.filter(pk=offer_id, manager=manager_id, manager__user__is_active=True).first()
