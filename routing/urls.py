from django.urls import path
from django.views.generic import RedirectView

from . import views

urlpatterns = [
    path("me/", views.me, name="me"),
    path("me", RedirectView.as_view(pattern_name="me")),  # as people type it
    path("me/pause/", views.pause, name="pause"),
    path("me/resume/", views.resume, name="resume"),
]
