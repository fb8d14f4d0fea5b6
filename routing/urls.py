from django.urls import path

from . import views

urlpatterns = [
    path("me/", views.me, name="me"),
    path("me/pause/", views.pause, name="pause"),
    path("me/resume/", views.resume, name="resume"),
]
