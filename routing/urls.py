from django.urls import path
from django.views.generic import RedirectView

from .views import desk

urlpatterns = [
    path("me/", desk.me, name="me"),
    path("me", RedirectView.as_view(pattern_name="me", http_method_names=["get", "head"])),  # as people type it
    path("me/pause/", desk.pause, name="pause"),
    path("me/resume/", desk.resume, name="resume"),
]
