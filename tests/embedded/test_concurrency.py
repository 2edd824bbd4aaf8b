"""Calls that run at the same moment, on every engine: what comes out is what would if they came one after the other."""

from __future__ import annotations

import pathlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from cluster import Cluster
from contract import test_webauthn as passkeys
from contract.authenticator import asserted, created, credential
from contract.client import Answer, Caller, InProcess, email, fresh
from contract.logins import code, consume, link, make_primary, sign_in_up, social, typed
from contract.test_emailpassword import SECRET as PASSWORD, sign_up
from contract.test_sessions import create, refresh, verify
from contract.test_totp import SECRET, bring, code as totp, verify as verify_code

from embedded.conftest import caller
from st_wsgi.embedded import EmbeddedCore, population
from st_wsgi.embedded.storage.database import Store
from st_wsgi.embedded.storage.tables import tables_with

ROUNDS = 8


#: On PostgreSQL, the server decides these races.
@pytest.fixture(params=["memory", "file", pytest.param("postgres", marks=pytest.mark.one_python)])
def apps(
    request: pytest.FixtureRequest, make_core: Callable[..., EmbeddedCore], tmp_path: pathlib.Path
) -> Iterator[list[Caller]]:
    """The public app of two cores on one database, as two processes have them; sound in the end."""
    if request.param == "memory":
        cores = [make_core(hashing_queue_size=8)] * 2
    elif request.param == "file":
        cores = [make_core(tmp_path / "auth.db") for _ in range(2)]
    else:
        cluster: Cluster = request.getfixturevalue("cluster")
        address = cluster.address()
        cores = [make_core(address) for _ in range(2)]
    yield [caller(core) for core in cores]
    assert population.orphans(cores[0].services.store) == {}


@pytest.fixture
def store(apps: list[Caller]) -> Store:
    """The database of these cores."""
    wire = apps[0].wire
    assert isinstance(wire, InProcess)
    return wire.core.services.store


def together(*works: Callable[[], Answer]) -> list[Answer]:
    """Return the answers of calls that start at the same moment."""
    barrier = threading.Barrier(len(works))
    answers: list[Answer | None] = [None] * len(works)

    def run(place: int) -> None:
        barrier.wait(30)
        answers[place] = works[place]()

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    found = [answer for answer in answers if answer is not None]
    assert len(found) == len(works)
    return found


def statuses(answers: list[Answer]) -> Counter[str]:
    assert {answer.status for answer in answers} == {200}, [answer.body for answer in answers]
    return Counter(answer.body["status"] for answer in answers)


def test_sign_ups_with_one_address(apps: list[Caller]) -> None:
    """One of them has the account."""
    for _ in range(ROUNDS):
        body = {"email": email(), "password": "correct horse 1"}
        answers = together(*(partial(app.post, "/recipe/signup", **body) for app in apps * 2))
        assert statuses(answers) == {"OK": 1, "EMAIL_ALREADY_EXISTS_ERROR": 3}


def test_sign_ins_with_one_new_account_of_a_provider(apps: list[Caller]) -> None:
    """One of them makes the user, and all are the same one."""
    for _ in range(ROUNDS):
        address, account = email(), fresh("account")
        answers = together(*(partial(sign_in_up, app, address, account=account) for app in apps * 2))
        assert statuses(answers) == {"OK": 4}
        assert Counter(answer.body["createdNewUser"] for answer in answers) == {True: 1, False: 3}
        assert len({answer.body["user"]["id"] for answer in answers}) == 1


def test_refreshes_with_one_token(apps: list[Caller]) -> None:
    """All get a child, of which one can go on: a session is current with one token only."""
    for _ in range(ROUNDS):
        token = create(apps[0], "user")["refreshToken"]["token"]
        answers = together(*(partial(refresh, app, token) for app in apps * 2))
        assert statuses(answers) == {"OK": 4}
        children = [answer.body["refreshToken"]["token"] for answer in answers]
        assert statuses(together(*(partial(refresh, apps[0], child) for child in children)))["OK"] == 1


def test_primary_users_with_one_address(apps: list[Caller]) -> None:
    """Two login methods with one address, of different recipes, become primary users at once: one of them does."""
    refused = "ACCOUNT_INFO_ALREADY_ASSOCIATED_WITH_ANOTHER_PRIMARY_USER_ID_ERROR"
    for _ in range(ROUNDS):
        address = email()
        ids = sign_up(apps[0], address)["id"], social(apps[0], address)
        answers = together(*(partial(make_primary, app, one) for app, one in zip(apps, ids, strict=True)))
        assert statuses(answers) == {"OK": 1, refused: 1}


def test_addresses_that_providers_change_to_one(apps: list[Caller]) -> None:
    """Two primary users get the same address from their providers at once: one of them signs in."""
    for _ in range(ROUNDS):
        accounts = fresh("account"), fresh("account")
        for account in accounts:
            make_primary(apps[0], social(apps[0], account=account)).has()
        address = email()
        answers = together(
            *(partial(sign_in_up, app, address, account=own) for app, own in zip(apps, accounts, strict=True))
        )
        assert statuses(answers) == {"OK": 1, "EMAIL_CHANGE_NOT_ALLOWED_ERROR": 1}


def test_linking_while_another_becomes_primary(apps: list[Caller]) -> None:
    """A login method is linked while another one with its address becomes a primary user: one of the two goes."""
    for _ in range(ROUNDS):
        address = email()
        owner, own, other = sign_up(apps[0])["id"], sign_up(apps[0], address)["id"], social(apps[0], address)
        make_primary(apps[0], owner).has()
        answers = together(partial(link, apps[0], own, owner), partial(make_primary, apps[1], other))
        assert statuses(answers)["OK"] == 1


def test_a_link_while_somebody_signs_up(apps: list[Caller]) -> None:
    """Both go: only primary users may not share an address."""
    for _ in range(ROUNDS):
        address = email()
        owner, own = sign_up(apps[0])["id"], social(apps[0], address)
        make_primary(apps[0], owner).has()
        body = {"email": address, "password": "correct horse 1"}
        answers = together(partial(link, apps[0], own, owner), partial(apps[1].post, "/recipe/signup", **body))
        assert statuses(answers) == {"OK": 2}
        assert make_primary(apps[0], answers[1].body["user"]["id"]).body["status"] != "OK"


def test_a_link_while_the_user_is_deleted(apps: list[Caller]) -> None:
    """A login method is not linked to a user who was deleted."""
    for _ in range(ROUNDS):
        owner, own = sign_up(apps[0])["id"], sign_up(apps[0])["id"]
        make_primary(apps[0], owner).has()
        linked, _ = together(partial(link, apps[0], own, owner), partial(apps[1].post, "/user/remove", userId=owner))
        assert linked.status in (200, 400), linked.body
        # A link that came first makes it one user, who is deleted as a whole.
        status = "UNKNOWN_USER_ID_ERROR" if linked.status == 200 else "OK"
        assert apps[0].get("/user/id", userId=own).body["status"] == status


def test_a_role_that_is_removed_while_it_is_given(apps: list[Caller]) -> None:
    """No user has a role that does not exist."""
    for number in range(ROUNDS):
        role, user = fresh("role"), f"user-{number}"
        apps[0].put("/recipe/role", role=role, permissions=["read"]).has()
        given, _ = together(
            partial(apps[0].put, "/recipe/user/role", userId=user, role=role),
            partial(apps[1].post, "/recipe/role/remove", role=role),
        )
        assert given.body["status"] in ("OK", "UNKNOWN_ROLE_ERROR")
        apps[0].get("/recipe/user/roles", userId=user).says("OK", roles=[])


def test_a_tenant_that_is_removed_while_a_session_is_made(apps: list[Caller]) -> None:
    """The session is refused, or is of no use."""
    for _ in range(ROUNDS):
        tenant_id = fresh("tenant")
        apps[0].put("/recipe/multitenancy/tenant/v2", tenantId=tenant_id).has()
        body = {"userId": "u", "enableAntiCsrf": False, "userDataInJWT": {}, "userDataInDatabase": {}}
        made, removed = together(
            partial(apps[0].below(tenant_id).post, "/recipe/session", **body),
            partial(apps[1].post, "/recipe/multitenancy/tenant/remove", tenantId=tenant_id),
        )
        removed.says("OK", didExist=True)
        assert made.status in (200, 400), made.body
        if made.status == 200:
            assert refresh(apps[0], made.body["refreshToken"]["token"]).status == 400


def test_one_code_signs_in_once(apps: list[Caller]) -> None:
    """A code that two devices type at once is taken from one of them."""
    for _ in range(ROUNDS):
        attempt = typed(code(apps[0], email=email()))
        answers = together(*(partial(consume, app, attempt) for app in apps))
        assert statuses(answers) == {"OK": 1, "RESTART_FLOW_ERROR": 1}


def test_wrong_codes_are_all_counted(apps: list[Caller]) -> None:
    """Attempts at the same moment do not raise the limit."""
    attempt = typed(code(apps[0], email=email()), "no")
    answers = together(*(partial(consume, app, attempt) for app in apps * 4))
    assert statuses(answers) == {"INCORRECT_USER_INPUT_CODE_ERROR": 4, "RESTART_FLOW_ERROR": 4}


def test_one_time_codes_are_good_once(apps: list[Caller]) -> None:
    """A code of an authenticator app that comes twice at once is taken once."""
    for number in range(ROUNDS):
        user = f"user-{number}"
        bring(apps[0], user, "phone").has()
        answers = together(*(partial(verify_code, app, user, totp(SECRET)) for app in apps))
        assert statuses(answers) == {"OK": 1, "INVALID_TOTP_ERROR": 1}


def test_attempts_are_all_counted(apps: list[Caller]) -> None:
    """The number of attempts is exact, whichever process counts them."""
    wires = [app.wire for app in apps]
    cores = [wire.core for wire in wires if isinstance(wire, InProcess)]
    seen: list[int] = []

    def count(core: EmbeddedCore) -> None:
        for _ in range(5):
            seen.append(core.attempts.add("key", 60)[0])

    threads = [threading.Thread(target=count, args=(core,)) for core in cores * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(seen) == list(range(1, 21))


def test_a_user_who_is_deleted_while_they_are_active(apps: list[Caller], store: Store) -> None:
    """They sign in or refresh, or are gone before. Nothing is kept about them afterwards."""
    for _ in range(ROUNDS):
        user = sign_up(apps[0])
        token = create(apps[0], user["id"])["refreshToken"]["token"]
        body = {"email": user["emails"][0], "password": PASSWORD}
        answers = together(
            partial(apps[0].post, "/recipe/signin", **body),
            partial(refresh, apps[0], token),
            partial(apps[1].post, "/user/remove", userId=user["id"]),
        )
        assert set(statuses(answers)) <= {"OK", "WRONG_CREDENTIALS_ERROR", "UNAUTHORISED"}
        with store.read() as db:
            kept = [table.name for table in tables_with("user_id") if db.exists(table.name, user_id=user["id"])]
        assert kept == []


def test_a_session_that_changes_while_it_is_refreshed(apps: list[Caller]) -> None:
    """What other calls store in a session stays, and so does a refresh."""
    for _ in range(ROUNDS):
        made = create(apps[0], "user")
        handle, first = made["session"]["handle"], made["refreshToken"]["token"]
        token = refresh(apps[0], first).has()["refreshToken"]["token"]
        answers = together(
            partial(refresh, apps[0], token),
            partial(apps[1].put, "/recipe/session/data", sessionHandle=handle, userDataInDatabase={"a": 1}),
            partial(apps[0].put, "/recipe/jwt/data", sessionHandle=handle, userDataInJWT={"b": 2}),
            partial(verify, apps[1], made["accessToken"]["token"]),
        )
        assert statuses(answers) == {"OK": 4}
        kept = apps[0].get("/recipe/session", sessionHandle=handle)
        kept.has(userDataInDatabase={"a": 1}, userDataInJWT={"b": 2})
        assert refresh(apps[0], first).body["status"] == "TOKEN_THEFT_DETECTED"


def test_a_session_that_ends_while_it_is_refreshed(apps: list[Caller]) -> None:
    """It has ended, whatever the refresh was told."""
    for _ in range(ROUNDS):
        made = create(apps[0], "user")
        handle, token = made["session"]["handle"], made["refreshToken"]["token"]
        refreshed, removed = together(
            partial(refresh, apps[0], token),
            partial(apps[1].post, "/recipe/session/remove", sessionHandles=[handle]),
        )
        removed.says("OK", sessionHandlesRevoked=[handle])
        assert refreshed.body["status"] in ("OK", "UNAUTHORISED")
        assert refresh(apps[0], token).body["status"] == "UNAUTHORISED"


def test_sign_ups_with_one_passkey(apps: list[Caller]) -> None:
    """One user has it, and no other one is left without any."""
    for _ in range(ROUNDS):
        own, all_options = credential(), [passkeys.to_register(app) for app in apps]
        answers = together(
            *(
                partial(passkeys.send, app, "signup", options, created(options, own))
                for app, options in zip(apps, all_options, strict=True)
            )
        )
        assert statuses(answers)["OK"] == 1
        assert passkeys.sign_in(apps[0], own).body["status"] == "OK"
        for answer, options in zip(answers, all_options, strict=True):
            users = apps[0].get("/users/by-accountinfo", email=options["email"], doUnionOfAccountInfo="true")
            assert len(users.body["users"]) == (answer.body["status"] == "OK")


def test_a_passkey_signs_in_once_with_a_counter(apps: list[Caller]) -> None:
    """Of two sign-ins that show the same counter, one is by a copy of the passkey: it is refused."""
    for _ in range(ROUNDS):
        _, own = passkeys.sign_up(apps[0])
        sent = [(options, asserted(options, own, counter=7)) for options in map(passkeys.to_sign_in, apps)]
        answers = together(*(partial(passkeys.send, app, "signin", *one) for app, one in zip(apps, sent, strict=True)))
        assert statuses(answers)["OK"] == 1


def test_a_passkey_that_is_removed_while_it_signs_in(apps: list[Caller]) -> None:
    """It signs in before, or is refused."""
    for _ in range(ROUNDS):
        user_id, own = passkeys.sign_up(apps[0])
        signed_in, removed = together(
            partial(passkeys.sign_in, apps[0], own),
            partial(
                apps[1].call,
                "DELETE",
                f"{passkeys.CREDENTIAL}/remove",
                params={"recipeUserId": user_id, "webauthnCredentialId": own.name},
            ),
        )
        removed.has()
        assert signed_in.body["status"] in ("OK", "CREDENTIAL_NOT_FOUND_ERROR")
        assert passkeys.sign_in(apps[0], own).body["status"] == "CREDENTIAL_NOT_FOUND_ERROR"


def test_codes_of_one_device(apps: list[Caller]) -> None:
    """The same code is given to a device once."""
    for _ in range(ROUNDS):
        made = code(apps[0], email=email())
        body = {"deviceId": made["deviceId"], "userInputCode": "secret"}
        answers = together(*(partial(app.post, "/recipe/signinup/code", **body) for app in apps * 2))
        assert statuses(answers) == {"OK": 1, "USER_INPUT_CODE_ALREADY_USED_ERROR": 3}


@pytest.mark.parametrize("kind", ["verification", "reset"])
def test_tokens_that_are_made_while_one_is_used(apps: list[Caller], kind: str) -> None:
    """The use of one ends those that were made before it. Of each, one at most is good afterwards."""
    for _ in range(ROUNDS):
        address = email()
        user_id = sign_up(apps[0], address)["id"]
        path, use, body = (
            ("/recipe/user/email/verify/token", "/recipe/user/email/verify", {"method": "token"})
            if kind == "verification"
            else ("/recipe/user/password/reset/token", "/recipe/user/password/reset/token/consume", {})
        )
        make = partial(apps[0].post, path, userId=user_id, email=address)
        first, older = make().has()["token"], make().has()["token"]
        made, used = together(make, partial(apps[1].post, use, **body, token=first))
        used.has()
        assert apps[0].post(use, **body, token=older).body["status"] != "OK"
        if made.body["status"] == "OK":
            again = together(*(partial(app.post, use, **body, token=made.body["token"]) for app in apps))
            assert statuses(again)["OK"] <= 1
        else:
            assert made.body["status"] == "EMAIL_ALREADY_VERIFIED_ERROR"
