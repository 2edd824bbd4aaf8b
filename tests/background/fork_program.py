"""
What gunicorn does with ``--preload``: a process makes the instance, forks, and everybody uses it.

Run by test_background.py with the address of a core. Prints ``fine``, or what went wrong.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import st_wsgi
from st_wsgi import AppInfo, RecipeUserId, SuperTokens
from st_wsgi.recipes import session
from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.session import Session

CHILDREN = 3
ROUNDS = 5


def quiet() -> str:
    """Whatever a child process would inherit: threads, sockets and files that are open."""
    threads = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
    targets = [os.readlink(entry) for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()]
    held = [name for name in targets if name.startswith("socket:") or name.endswith((".db", ".db-wal", ".db-shm"))]
    return ", ".join(threads + held)


def use(name: str) -> None:
    """Make, verify, change and refresh sessions, and see that they are one's own."""
    for number in range(ROUNDS):
        user = f"{name}-{number}"
        with st_wsgi.open_user_context():
            made = session.create_new_session_without_request_response(recipe_user_id=RecipeUserId(user))
            tokens = made.get_all_session_tokens_dangerously()
            seen = session.get_session_without_request_response(access_token=tokens.access_token)
            assert seen is not None
            assert seen.get_user_id() == user
            seen.merge_into_access_token_payload({"round": number})
            assert tokens.refresh_token is not None
            renewed = session.refresh_session_without_request_response(refresh_token=tokens.refresh_token)
            assert renewed.get_access_token_payload()["round"] == number
            assert session.get_all_session_handles_for_user(user_id=user) == [made.get_handle()]


def in_children(work: Callable[[str], None], stage: str) -> None:
    children = []
    for number in range(CHILDREN):
        child = os.fork()
        if not child:
            status = 1
            try:
                work(f"{stage}-child-{number}")
                status = 0
            except BaseException as error:
                print(f"{stage}, child {number}: {error!r}", flush=True)
            finally:
                os._exit(status)
        children.append(child)
    work(f"{stage}-parent")
    if any(os.waitpid(child, 0)[1] for child in children):
        raise SystemExit(f"{stage}: a child failed")


def while_threads_work() -> None:
    """Fork while locks are held, by threads that no child has."""
    threads = [threading.Thread(target=use, args=(f"thread-{number}",)) for number in range(2)]
    for thread in threads:
        thread.start()
    in_children(use, "busy")
    for thread in threads:
        thread.join()


def main(core: str) -> None:
    if born := quiet():
        raise SystemExit(f"born at import: {born}")
    st: SuperTokens = st_wsgi.init(
        app_info=AppInfo(app_name="Shop", api_domain="http://localhost", website_domain="http://localhost"),
        core=core,
        recipes=[EmailPassword(), Session()],
    )
    if born := quiet():
        raise SystemExit(f"born at construction: {born}")
    in_children(use, "fresh")
    in_children(use, "warm")
    while_threads_work()
    st.close()
    print("fine")


if __name__ == "__main__":
    main(sys.argv[1])
