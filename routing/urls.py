from django.urls import path
from django.views.generic import RedirectView

from .views import accept, board, desk

urlpatterns = [
    path("me/", desk.me, name="me"),
    path("me", RedirectView.as_view(pattern_name="me", http_method_names=["get", "head"])),  # as people type it
    path("me/pause/", desk.pause, name="pause"),
    path("me/resume/", desk.resume, name="resume"),
    path("me/calendar/", desk.new_calendar, name="my-new-calendar"),
    path("me/why/", desk.why_not_me, name="why-not-me"),
    path("me/leads/<uuid:lead_id>/", desk.lead, name="my-lead"),
    path("me/leads/<uuid:lead_id>/contact/", desk.contact, name="my-lead-contact"),
    path("me/leads/<uuid:lead_id>/accept/", desk.accept, name="accept"),
    path("me/leads/<uuid:lead_id>/decline/", desk.decline, name="decline"),
    path("me/leads/<uuid:lead_id>/move/", desk.move, name="move"),
    path("accept/<str:token>/", accept.accept_link, name="accept-link"),
    path("board/", board.board, name="board"),
    path("board", RedirectView.as_view(pattern_name="board", http_method_names=["get", "head"])),
    path("board/<int:manager_id>/pause/", board.pause, name="board-pause"),
    path("board/<int:manager_id>/resume/", board.resume, name="board-resume"),
]
