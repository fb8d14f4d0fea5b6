"""The page of a link that accepts an offer: whoever has the link needs not sign in."""

from __future__ import annotations

from contextlib import suppress

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from accounts.people.preferences import Zones, reading_in
from accounts.time import clock

from ..exceptions import OfferClosed
from ..links import offer_of_link
from ..roster import current
from ..screens.desk import zone_of
from ..services.offers import accept_offer


# The link itself is the secret that a forged request would lack; programs that show messages often keep no cookies.
@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def accept_link(request: HttpRequest, token: str) -> HttpResponse:
    """Show the offer with a button. Looking accepts nothing: mail programs look at links, too."""
    offer = offer_of_link(token)
    if offer is None:
        return render(request, "routing/accept_link.html", {"offer": None}, status=404)
    at, status = clock.now(), 200
    if request.method == "POST" and offer.closed_at is None:
        with suppress(OfferClosed):  # the page says what became of it
            accept_offer(offer.lead_id, at=at, by=offer.manager.user, offer_id=offer.pk)
        offer.refresh_from_db(fields=["closed_at", "outcome"])
        status = 200 if offer.outcome == offer.Outcome.ACCEPTED else 409
    may_accept = offer.closed_at is None and at < offer.accept_by
    context = {"offer": offer, "lead": offer.lead, "may_accept": may_accept}
    roster = current()
    with reading_in(Zones(own=zone_of(offer.manager, roster), account=roster.zone)):
        return render(request, "routing/accept_link.html", context, status=status)
