"""
For tests of an app: cores in memory, mails in an outbox, clients that are signed in.

With pytest, use the fixtures of :mod:`pytest_st_wsgi`; in Django's own runner, :mod:`st_wsgi.testing.django`.
"""

from __future__ import annotations

from .clients import SignedIn as SignedIn, signed_in as signed_in
from .kit import Kit as Kit, start as start, stop as stop
from .outbox import Outbox as Outbox, Sent as Sent
