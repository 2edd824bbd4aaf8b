"""
Instances under test: each test has cores in memory, fresh limits of attempts and an outbox.

:func:`start` changes what ``st_wsgi.init(...)`` and ``SuperTokens(...)`` do in this process: they never open the core
that the app names, and their mails and text messages go to the outbox. Instances that were made before are refused,
because they have opened their core already.
"""

from __future__ import annotations

import functools
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import attrs

from ..app import SuperTokens
from ..core_client.transport import CoreReply, CoreRequest, Transport
from ..delivery import Delivery, Message
from ..embedded import EmbeddedCore
from ..embedded.storage.sqlite import SQLiteStore
from ..errors import ConfigError
from ..limits import AttemptLimits, Limiter
from ..recipe_kit.background import Background
from ..request import current
from .outbox import Outbox, Sent

FAST = {"argon2_memory_kb": 64, "argon2_iterations": 1, "hashing_queue_size": 100}
"""Core settings with which hashing a password takes no time."""

_NO_CORE = (
    "outside of a test there is no core: ask for the fixture st_kit, st_app or st_client in this test. What an app "
    "tells its core at start-up belongs into a block of st_wsgi.testing.start().loading()"
)
_TOO_EARLY = (
    "this instance was made before the test kit was there, and has opened its real core. Name your app in the option "
    "st_app of pytest, or call st_wsgi.testing.start() at the beginning, such as in Django's settings for tests"
)


class _CoreOfTest(Transport):
    """Sends calls to the core in memory of the test that runs."""

    in_process = True
    password_byte_limit: int | None = None

    def __init__(self, kit: Kit, name: object) -> None:
        self._kit = kit
        self._name = name

    def send(self, request: CoreRequest, /) -> CoreReply:
        return self._kit.core(self._name).send(request)

    def close(self) -> None:
        """Do nothing: the core ends with its test."""


@attrs.define(kw_only=True, eq=False)
class Kit:
    """
    What the tests of a process share. :func:`start` returns it.

    What an app tells its core while it is loaded, such as roles, is in the core of each test.
    """

    outbox: Outbox = attrs.field(init=False, repr=False)
    _instances: weakref.WeakSet[SuperTokens] = attrs.field(init=False, factory=weakref.WeakSet)
    _loaded: dict[object, EmbeddedCore] = attrs.field(init=False, factory=dict)
    _cores: dict[object, EmbeddedCore] | None = attrs.field(init=False, default=None)
    _settings: Mapping[str, object] = attrs.field(init=False, factory=dict)
    _is_loading: bool = attrs.field(init=False, default=True)
    _lock: threading.Lock = attrs.field(init=False, factory=threading.Lock)

    def __attrs_post_init__(self) -> None:
        self.outbox = Outbox(self._finish_mails)

    @contextmanager
    def loading(self) -> Iterator[None]:
        """Load an app. What it tells its core inside the block is in the core of each later test."""
        before, self._is_loading = self._is_loading, True
        try:
            yield
        finally:
            self._is_loading = before

    def loaded(self) -> None:
        """Note that all apps are loaded, so that a test without the kit cannot change what the others begin with."""
        self._is_loading = False

    @contextmanager
    def test(self, core_settings: Mapping[str, object] | None = None) -> Iterator[Kit]:
        """
        Run one test. Its cores have only what the app did while it was loaded, and its outbox is empty.

        :param core_settings: such as ``{"access_token_validity": 2}``.
        :raises ConfigError: the instance of ``st_wsgi.init`` was made before the kit was there.
        """
        default = current.services() if current.has_default() else None
        if default is not None and not isinstance(default.transport, _CoreOfTest):
            raise ConfigError(_TOO_EARLY)
        self._is_loading, self._cores, self._settings = False, {}, core_settings or {}
        self.outbox.clear()
        for st in self._instances:
            st.services.limiter = Limiter(_fresh(st.rate_limit), trusted_proxies=st.trusted_proxies)
        try:
            yield self
        finally:
            self._finish_mails()
            cores, self._cores = self._cores or {}, None
            current.set_default(default)
            for core in cores.values():
                core.close()

    def core(self, name: object) -> EmbeddedCore:
        """
        Return the core for an address that an app names: that of the test, or the one that apps are loaded with.

        :raises ConfigError: no test runs and no app is loaded.
        """
        with self._lock:
            if name not in self._loaded:
                core = self._loaded[name] = EmbeddedCore(settings=FAST)
                core.send(CoreRequest(method="GET", path="/.well-known/jwks.json"))  # makes the keys of all tests
            if self._is_loading:
                return self._loaded[name]
            if self._cores is None:
                raise ConfigError(_NO_CORE)
            if name not in self._cores:
                self._cores[name] = EmbeddedCore(
                    functools.partial(_copied, self._loaded[name]), settings={**FAST, **self._settings}
                )
            return self._cores[name]

    def instance(self, st: SuperTokens | None = None) -> SuperTokens:
        """
        Return the instance under test: by default that of ``st_wsgi.init``, or the only one.

        :raises ConfigError: there are several, or it was made before the kit was there.
        """
        if st is not None:
            found = [one for one in self._instances if one is st]
        elif current.has_default():
            found = [one for one in self._instances if one.services is current.services()]
        else:
            found = list(self._instances)
            if len(found) != 1:
                raise ConfigError(f"pass instance=, the SuperTokens that is meant: {len(found)} are under test")
        if not found:
            raise ConfigError(_TOO_EARLY)
        return found[0]

    def take(self, st: SuperTokens, make: Callable[[SuperTokens], None]) -> None:
        """Make an instance as *make* does, with a core and an outbox of tests."""
        if not isinstance(st.core, _CoreOfTest):
            st.core = _CoreOfTest(self, st.core)
        st.api_key = None
        st.rate_limit = _fresh(st.rate_limit)
        make(st)
        for recipe in st.recipes:
            for name in ("mail", "sms"):
                real: Any = getattr(recipe, name, None)
                if real is not None:
                    content = getattr(real.service, "content", None)
                    setattr(recipe, name, Delivery(functools.partial(self._keep, content)))
            for name in ("send_email", "send_sms"):  # an override may send by itself
                function: Any = getattr(recipe.functions_class, name, None)
                if function is not None:
                    setattr(recipe.functions, name, function.__get__(recipe.functions))
        self._instances.add(st)

    def _keep(self, content: Any, message: Message) -> None:
        self.outbox.add(Sent(**attrs.asdict(message, recurse=False), content=content))

    def _finish_mails(self) -> None:
        """Wait for the mails that are sent in the background."""
        for st in list(self._instances):
            st.services.shared(Background).close()


def _fresh(limits: Any) -> AttemptLimits | None:
    """Return the same limits with counters of their own. A function of the app may count anywhere, and is left out."""
    return attrs.evolve(limits, store=None) if isinstance(limits, AttemptLimits) else None


def _copied(core: EmbeddedCore) -> SQLiteStore:
    store = SQLiteStore(None)
    with core.services.store.read() as source, store.read() as target:
        assert isinstance(source, sqlite3.Connection)
        source.backup(target)
    return store


_end = ExitStack()


@functools.cache
def start() -> Kit:
    """
    Have all instances that this process makes from now on be instances under test; return the kit.

    ::

        from st_wsgi import testing

        kit = testing.start()
        with kit.test():
            st = st_wsgi.init(app_info=app_info, core="sqlite:///auth.db", recipes=[EmailPassword(), Session()])
            emailpassword.create_reset_password_link(user_id="ada", email="ada@example.com")
        testing.stop()
    """
    kit, make = Kit(), SuperTokens.__attrs_post_init__
    setattr(SuperTokens, "__attrs_post_init__", lambda st: kit.take(st, make))  # noqa: B010
    _end.callback(setattr, SuperTokens, "__attrs_post_init__", make)
    return kit


def stop() -> None:
    """Undo :func:`start`. Instances under test stay what they are."""
    _end.close()
    start.cache_clear()
