"""/api/schema/ and /api/docs/: the API described; its browser needs neither the network nor inline scripts."""

from django.urls import URLPattern, re_path
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiYamlRenderer
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView


class SchemaView(SpectacularAPIView):
    """The schema as OpenAPI 3.1: JSON, or YAML for who asks for it."""

    metadata_class = None  # OPTIONS is answered with 405, as everywhere in the API
    renderer_classes = [OpenApiJsonRenderer, OpenApiYamlRenderer]


class DocsView(SpectacularSwaggerSplitView):
    """The schema to read and try."""

    metadata_class = None  # the framework would draw its description with the page's template, and fail
    url_name = "schema"


urlpatterns: list[URLPattern] = [
    re_path(r"^api/schema/?$", SchemaView.as_view(), name="schema"),
    re_path(r"^api/docs/?$", DocsView.as_view(), name="api-docs"),
]
