"""The app in Django, which has one set of settings and one table of addresses in a process."""
# mypy: disable-error-code="import-untyped, no-any-unimported"
# (Django has no types)

from __future__ import annotations

from collections.abc import Callable

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import URLPattern, path

from benchmarks.apps import NOBODY


def plain(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"hello": "world"})


def nobody(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"userId": NOBODY})


urlpatterns: list[URLPattern] = [path("plain", plain), path("nobody", nobody)]

settings.configure(ALLOWED_HOSTS=["*"], MIDDLEWARE=[], ROOT_URLCONF=__name__, SECRET_KEY="for benchmarks only")
django.setup()


def site(me: Callable[[HttpRequest], HttpResponse], *middleware: str) -> WSGIHandler:
    """Return a handler with *middleware*, whose ``/me`` is *me*."""
    urlpatterns[2:] = [path("me", me)]
    settings.MIDDLEWARE = list(middleware)
    return WSGIHandler()
