"""Tests in Django's own runner: ``manage.py test``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.test import Client  # type: ignore[import-untyped]  # Django has no types of its own

from .clients import signed_in
from .kit import Kit, start
from .outbox import Outbox


class SuperTokensMixin:
    """
    For a test case of Django's, before its name: each test has a core in memory and an outbox.

    ``settings.SUPERTOKENS`` must not be imported before the first class with this base is made. If it is, begin the
    settings for tests with ``st_wsgi.testing.start()``.

    :cvar st_client_class: what :meth:`st_client` makes, such as ``rest_framework.test.APIClient``.
    """

    st_client_class: Any = Client
    st_core_settings: Mapping[str, object] | None = None
    _kit: Kit

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        start()

    def run(self, result: Any = None) -> Any:
        """Run one test."""
        with start().loading():
            self.st_client_class().handler.load_middleware()  # which imports the instance
        with start().test(self.st_core_settings) as self._kit:
            return super().run(result)  # type: ignore[misc]  # of the test case that this is mixed into

    @property
    def st_outbox(self) -> Outbox:
        """The mails and text messages that the test has caused."""
        return self._kit.outbox

    def st_client(self, **user: Any) -> Any:
        """Return a client that is signed in as a fresh user; see :func:`~st_wsgi.testing.signed_in`."""
        st = self._kit.instance(user.pop("instance", None))
        return signed_in(None, st, **{"client": self.st_client_class, **user})
