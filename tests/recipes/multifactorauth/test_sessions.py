"""Sessions that need more than one factor: by user, by tenant, by the app's own rule, and by route."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import attrs
import pytest

from recipes.accountlinking.parts import LINK, Site
from recipes.multifactorauth.parts import Member, replaced, requirements, site
from recipes.shop import PASSWORD, Borrowed, Clock, Shop, Visitor, form, no_mail, payload_of
from recipes.totp.parts import SECRET, import_device, totp
from st_wsgi import AttemptStore, RecipeUserId
from st_wsgi.core_client.transport import CoreReply, CoreRequest
from st_wsgi.errors import ArgumentError, ConfigError, CoreReplyInvalid, InvalidClaims, Unauthorised
from st_wsgi.recipes import multifactorauth as mfa, multitenancy, session
from st_wsgi.recipes.accountlinking import AccountLinking
from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.multitenancy import TenantConfigCreateOrUpdate
from st_wsgi.recipes.usermetadata import get_user_metadata, update_user_metadata

REFUSED = [{"id": "st-mfa", "reason": {"message": "MFA requirement for auth is not satisfied"}}]


class TestRequirements:
    def test_without_requirements_the_first_factor_is_enough(self, core: Borrowed) -> None:
        member = Member.of(site(core))
        assert (member.claim["v"], member.done, member.page()) == (True, {"emailpassword"}, member.user_id)

    def test_a_factor_required_of_a_user(self, core: Borrowed) -> None:
        member = Member.of(site(core), requires=("totp",), has_app=True)
        assert (member.claim["v"], member.done, member.page()) == (False, {"emailpassword"}, REFUSED)
        assert member.enter_totp() == {"status": "OK"}
        assert (member.claim["v"], member.done, member.page()) == (True, {"emailpassword", "totp"}, member.user_id)

    def test_a_new_requirement_reaches_a_session_at_the_next_call_of_mfa_info(self, core: Borrowed) -> None:
        member = Member.of(site(core))
        mfa.add_to_required_secondary_factors_for_user(user_id=member.user_id, factor_id="totp")
        assert member.page() == member.user_id  # as the token says, until it is written anew
        assert member.info()["factors"]["next"] == ["totp"]
        assert member.page() == REFUSED
        mfa.remove_from_required_secondary_factors_for_user(user_id=member.user_id, factor_id="totp")
        assert member.info()["factors"]["next"] == []
        assert member.page() == member.user_id

    def test_a_factor_required_of_a_tenant(self, core: Borrowed) -> None:
        at = site(core)
        tenant = f"t{uuid.uuid4().hex}"
        config = TenantConfigCreateOrUpdate(first_factors=None, required_secondary_factors=["totp"])
        multitenancy.create_or_update_tenant(tenant_id=tenant, config=config)
        visitor = at.shop.visitor()
        visitor.call("POST", f"/auth/{tenant}/signup", form(email=visitor.email, password=PASSWORD))
        assert visitor.visit().status_code == 403
        # The tenant in the path is another one: that of the session counts.
        for path in ("/auth/mfa/info", f"/auth/{tenant}/mfa/info", "/auth/public/mfa/info"):
            factors = visitor.call("PUT", path).get_json()["factors"]
            assert (factors["next"], factors["allowedToSetup"]) == (["totp"], ["totp"])

    def test_one_factor_required_of_user_or_tenant_is_enough(self, core: Borrowed) -> None:
        at = site(core)
        tenant = f"t{uuid.uuid4().hex}"
        config = TenantConfigCreateOrUpdate(first_factors=None, required_secondary_factors=["otp-phone"])
        multitenancy.create_or_update_tenant(tenant_id=tenant, config=config)
        visitor = at.shop.visitor()
        answer = visitor.call("POST", f"/auth/{tenant}/signup", form(email=visitor.email, password=PASSWORD))
        user_id = answer.get_json()["user"]["id"]
        mfa.add_to_required_secondary_factors_for_user(user_id=user_id, factor_id="totp")
        assert visitor.call("PUT", "/auth/mfa/info").get_json()["factors"]["next"] == ["totp", "otp-phone"]
        import_device(core, user_id)
        member = Member(at.person(), user_id)
        member.person.visitor = visitor
        assert member.enter_totp() == {"status": "OK"}
        assert visitor.visit().status_code == 200

    def test_requirements_of_an_override(self, core: Borrowed) -> None:
        at = site(core, override=requirements("emailpassword", {"oneOf": ["totp", "otp-email"]}))
        member = Member.of(at, has_app=True)
        assert member.page() == REFUSED
        member.enter_totp()
        assert member.page() == member.user_id

    def test_the_arguments_of_the_override(self, core: Borrowed) -> None:
        told: list[dict[str, Any]] = []

        def rule(**given: Any) -> Any:
            told.append(given)
            return []

        member = Member.of(site(core, override=replaced(rule)), has_app=True)
        told.clear()
        mfa.add_to_required_secondary_factors_for_user(user_id=member.user_id, factor_id="totp")
        member.person.sign_in()
        [given] = told
        assert (given["tenant_id"], given["user"]().id) == ("public", member.user_id)
        assert list(given["completed_factors"]) == ["emailpassword"]
        assert given["access_token_payload"]["sub"] == member.user_id
        assert sorted(given["factors_set_up_for_user"]()) == ["emailpassword", "totp"]
        assert given["required_secondary_factors_for_user"]() == ("totp",)
        assert given["required_secondary_factors_for_tenant"]() == ()
        told.clear()
        member.info()
        assert len(told) == 1  # all that one response says is by one outcome

    def test_a_required_factor_that_no_recipe_offers_is_a_500(
        self, core: Borrowed, caplog: pytest.LogCaptureFixture
    ) -> None:
        member = Member.of(site(core), requires=("retina",))
        assert member.page() == REFUSED
        assert member.call("PUT", "/auth/mfa/info").status_code == 500
        assert "needs one of retina, which no recipe offers" in caplog.text


class TestRoutes:
    @pytest.mark.parametrize(
        ("steps", "reason"),
        [
            (
                ["emailpassword", "totp"],
                {"message": "Factor validation failed: totp not completed", "factorId": "totp"},
            ),
            (
                [{"oneOf": ["totp", "otp-email"]}],
                {
                    "message": "None of these factors are complete in the session: totp, otp-email",
                    "oneOf": ["totp", "otp-email"],
                },
            ),
            (
                [{"allOfInAnyOrder": ["totp", "emailpassword"]}],
                {
                    "message": "Some of the factors are not complete in the session: totp, emailpassword",
                    "allOfInAnyOrder": ["totp", "emailpassword"],
                    "missing": ["totp"],
                },
            ),
        ],
    )
    def test_a_view_that_needs_more(self, core: Borrowed, steps: list[Any], reason: dict[str, Any]) -> None:
        at = site(core)
        member = Member.of(at, has_app=True)

        @session.verify_session(override_global_claim_validators=mfa.require_factors(requirement_list=steps))
        def view(_environ: Any) -> str:
            return "open"

        at.shop.view = view
        assert member.page() == [{"id": "st-mfa", "reason": reason}]
        member.enter_totp()
        assert member.person.visitor.visit().get_json() == "open"

    def test_require_factors_adds_to_the_requirements_of_the_sign_in(self, core: Borrowed) -> None:
        at = site(core)
        member = Member.of(at, requires=("totp",))
        both = mfa.require_factors(requirement_list=["emailpassword"])
        at.shop.view = lambda environ: session.get_session(environ, override_global_claim_validators=both).get_handle()
        assert member.page() == REFUSED

    def test_a_view_for_incomplete_sign_ins(self, core: Borrowed) -> None:
        at = site(core)
        member = Member.of(at, requires=("totp",))
        at.shop.view = lambda environ: {
            "userId": session.get_session(environ, override_global_claim_validators=lambda *_: []).get_user_id()
        }
        assert member.page() == member.user_id

    def test_an_invalid_step_is_refused_at_the_start(self) -> None:
        with pytest.raises(ValueError, match="a step is a factor id"):
            mfa.require_factors(requirement_list=[{"anyOf": ["totp"]}])  # type: ignore[list-item]


def old_session(at: Site, visitor: Visitor, recipe_user_id: str, **payload: Any) -> str:
    """Give a visitor a session whose payload is what it was before the app had second factors."""
    answer = at.shop.during(
        visitor,
        lambda environ: session.create_new_session(
            environ, recipe_user_id=RecipeUserId(recipe_user_id), access_token_payload=payload
        ).get_handle(),
        method="POST",
    )
    handle: str = answer.get_json()
    return handle


class TestOlderSessions:
    """Sessions without the claim, or with one that is not of its form: what they began with is worked out."""

    def test_the_first_factor_follows_from_the_login_method(self, core: Borrowed) -> None:
        at = site(core)
        member = Member.of(at)
        handle = old_session(at, member.person.visitor, member.user_id)
        assert "st-mfa" not in payload_of(str(member.person.visitor.access_token))
        assert member.page() == member.user_id
        information = session.get_session_information(session_handle=handle)
        assert information is not None
        assert member.claim == {"c": {"emailpassword": information.time_created // 1000}, "v": True}

    @pytest.mark.parametrize(
        "forged",
        [
            {"v": True},
            {"c": {}, "v": "yes"},
            {"c": {"totp": -1}, "v": True},
            {"c": {"totp": "now"}, "v": True},
            {"c": {"totp": True}, "v": True},
            {"c": ["totp"], "v": True},
            "totp",
            [True],
        ],
    )
    def test_a_malformed_claim_is_ignored(self, core: Borrowed, forged: Any) -> None:
        at = site(core)
        member = Member.of(at, requires=("totp",), has_app=True)
        old_session(at, member.person.visitor, member.user_id, **{"st-mfa": forged})
        assert member.page() == REFUSED
        assert (member.claim["v"], member.done) == (False, {"emailpassword"})

    def test_a_second_factor_does_not_take_the_place_of_the_first(self, core: Borrowed) -> None:
        at = site(core)
        member = Member.of(at, requires=("totp",), has_app=True)
        old_session(at, member.person.visitor, member.user_id)
        assert member.enter_totp() == {"status": "OK"}
        assert (member.claim["v"], member.done) == (True, {"emailpassword", "totp"})

    def test_a_passwordless_session_began_with_the_allowed_first_factor(self, core: Borrowed) -> None:
        at = site(core, flow_type="USER_INPUT_CODE_AND_MAGIC_LINK")
        ada = at.person()
        member = Member(ada, ada.by_code()["user"]["id"])
        assert member.done == {"otp-email"}
        old_session(at, ada.visitor, member.user_id)
        member.page()
        assert member.done == {"link-email"}

    def test_a_session_without_an_allowed_first_factor_is_refused(self, core: Borrowed) -> None:
        at = site(core)
        member = Member.of(at)
        again = site(core, first=["otp-email"])
        member.person.visitor.shop = again.shop
        old_session(again, member.person.visitor, member.user_id)
        assert member.page() == {"message": "unauthorised"}

    def test_a_session_of_an_unknown_user_is_refused(self, core: Borrowed) -> None:
        at = site(core)
        visitor = at.shop.visitor()
        old_session(at, visitor, "nobody")
        assert visitor.visit().get_json() == {"message": "unauthorised"}

    def test_a_stored_session_gets_the_claim_by_its_handle(self, core: Borrowed) -> None:
        at = site(core)
        member = Member.of(at, requires=("totp",))
        handle = old_session(at, member.person.visitor, member.user_id)
        found = session.validate_claims_for_session_handle(session_handle=handle)
        assert isinstance(found, session.ClaimsValidationResult)
        assert [one for one, _ in found.invalid_claims] == ["st-mfa"]
        assert session.fetch_and_set_claim(session_handle=handle, claim=mfa.MultiFactorAuthClaim)
        information = session.get_session_information(session_handle=handle)
        assert information is not None
        payload = information.custom_claims_in_access_token_payload
        assert payload["st-mfa"] == {"c": {"emailpassword": information.time_created // 1000}, "v": False}
        assert "sessionHandle" not in payload

    def test_the_first_factor_has_the_time_of_the_sign_in(self, timed_core: Borrowed, clock: Clock) -> None:
        at = site(timed_core, settings={"sessions": clock.session()})
        member = Member.of(at)
        began = clock() // 1000
        assert member.claim["c"] == {"emailpassword": began}
        import_device(timed_core, member.user_id)
        clock.wait(60)
        assert member.enter_totp(totp(SECRET, at=clock() / 1000)) == {"status": "OK"}
        assert member.claim["c"] == {"emailpassword": began, "totp": began + 60}


class TestFunctions:
    """What an app's own code calls."""

    @pytest.fixture
    def with_session(self, core: Borrowed) -> Callable[[Member, Callable[[Any], Any]], Any]:
        def run(member: Member, view: Callable[[Any], Any]) -> Any:
            def page(environ: Any) -> Any:
                made = session.get_session(environ, override_global_claim_validators=lambda *_: [])
                return view(made)

            return member.person.site.shop.during(member.person.visitor, page).get_json()

        return run

    def test_factors_of_a_user(self, core: Borrowed) -> None:
        at = site(core)
        member = Member.of(at)
        assert mfa.get_factors_setup_for_user(user_id=member.user_id) == ("emailpassword",)
        import_device(core, member.user_id)
        member.person.verify()
        member.person.by_code(link=True)
        assert set(mfa.get_factors_setup_for_user(user_id=member.user_id)) == {"emailpassword", "otp-email", "totp"}
        with pytest.raises(ArgumentError, match="no user has this id"):
            mfa.get_factors_setup_for_user(user_id="nobody")

    def test_required_factors_are_stored_beside_the_apps_metadata(self, core: Borrowed) -> None:
        site(core)
        user_id = uuid.uuid4().hex
        update_user_metadata(user_id=user_id, metadata_update={"plan": "pro", "_supertokens": {"other": 1}})
        assert mfa.get_required_secondary_factors_for_user(user_id=user_id) == ()
        for factor in ("totp", "otp-email", "totp"):
            mfa.add_to_required_secondary_factors_for_user(user_id=user_id, factor_id=factor)
        assert mfa.get_required_secondary_factors_for_user(user_id=user_id) == ("totp", "otp-email")
        for factor in ("totp", "otp-phone"):
            mfa.remove_from_required_secondary_factors_for_user(user_id=user_id, factor_id=factor)
        assert get_user_metadata(user_id=user_id) == {
            "plan": "pro",
            "_supertokens": {"other": 1, "requiredSecondaryFactors": ["otp-email"]},
        }

    @pytest.mark.parametrize(
        "written", ["totp", {"requiredSecondaryFactors": "totp"}, {"requiredSecondaryFactors": [1]}]
    )
    def test_malformed_metadata_complete_no_sign_in(self, core: Borrowed, written: Any) -> None:
        member = Member.of(site(core))
        update_user_metadata(user_id=member.user_id, metadata_update={"_supertokens": written})
        with pytest.raises(CoreReplyInvalid):
            mfa.get_required_secondary_factors_for_user(user_id=member.user_id)
        assert member.call("PUT", "/auth/mfa/info").status_code == 500

    def test_changes_at_the_same_time_are_all_stored(self, core: Borrowed) -> None:
        """Metadata are read by one call and written by another one."""
        site(core)
        for _ in range(10):
            user_id = uuid.uuid4().hex
            mfa.add_to_required_secondary_factors_for_user(user_id=user_id, factor_id="old")
            both = threading.Barrier(4)

            def change(name: str, user_id: str = user_id, both: threading.Barrier = both) -> None:
                both.wait(20)
                if name == "old":
                    mfa.remove_from_required_secondary_factors_for_user(user_id=user_id, factor_id=name)
                else:
                    mfa.add_to_required_secondary_factors_for_user(user_id=user_id, factor_id=name)

            with ThreadPoolExecutor(4) as pool:
                list(pool.map(change, ["old", "totp", "otp-email", "otp-phone"]))
            required = mfa.get_required_secondary_factors_for_user(user_id=user_id)
            assert sorted(required) == ["otp-email", "otp-phone", "totp"]

    def test_a_change_that_another_process_overwrote_is_repeated(self, core: Borrowed) -> None:
        site(core)
        user_id = uuid.uuid4().hex
        written: list[CoreRequest] = []

        def undo_once(request: CoreRequest) -> CoreReply | None:
            if (request.method, request.path) != ("PUT", "/recipe/user/metadata") or written:
                return None
            written.append(request)
            reply = core.core.send(request)
            body = {"userId": user_id, "metadataUpdate": {"_supertokens": {"requiredSecondaryFactors": ["other"]}}}
            core.core.send(attrs.evolve(request, body=body))
            return reply

        core.answer = undo_once
        mfa.add_to_required_secondary_factors_for_user(user_id=user_id, factor_id="totp")
        assert mfa.get_required_secondary_factors_for_user(user_id=user_id) == ("other", "totp")

    def test_a_change_waits_for_that_of_another_process(self, core: Borrowed) -> None:
        """The other one has read the metadata, and would write over what was added since then."""
        user_id, waits = uuid.uuid4().hex, threading.Event()

        class Turns(Borrowed):
            """The way of one process to the core: it tells when the process has to wait for its turn."""

            @property
            def attempts(self) -> AttemptStore:
                return self

            def add(self, key: str, seconds: int, /) -> tuple[int, float]:
                number, left = self.core.attempts.add(key, seconds)
                if number > 1:
                    waits.set()
                return number, left

            def clear(self, key: str, /) -> None:
                self.core.attempts.clear(key)

        ways = Turns(core.core), Turns(core.core)
        here, there = (site(way).shop.st.services.get(mfa.MultiFactorAuth).functions for way in ways)
        with ThreadPoolExecutor(1) as elsewhere:
            changes: list[Future[None]] = []

            def add_elsewhere(request: CoreRequest) -> None:
                if (request.method, request.path) == ("PUT", "/recipe/user/metadata"):
                    add = there.add_to_required_secondary_factors_for_user
                    changes.append(elsewhere.submit(add, user_id=user_id, factor_id="otp-email"))
                    changes[0].add_done_callback(lambda _done: waits.set())
                    assert waits.wait(20)

            ways[0].answer = add_elsewhere
            here.add_to_required_secondary_factors_for_user(user_id=user_id, factor_id="totp")
            changes[0].result(20)
        assert here.get_required_secondary_factors_for_user(user_id=user_id) == ("totp", "otp-email")

    def test_a_change_begins_with_what_the_core_has_now(self, core: Borrowed) -> None:
        """The request knows an older reply of the core, which another process has changed since."""
        at, user_id = site(core), uuid.uuid4().hex

        def view(_environ: object) -> str:
            assert mfa.get_required_secondary_factors_for_user(user_id=user_id) == ()
            ours = {"_supertokens": {"requiredSecondaryFactors": ["other"]}}
            body = {"userId": user_id, "metadataUpdate": ours}
            headers = {"cdi-version": "5.4"}
            core.core.send(CoreRequest(method="PUT", path="/recipe/user/metadata", body=body, headers=headers))
            mfa.add_to_required_secondary_factors_for_user(user_id=user_id, factor_id="totp")
            return "done"

        assert at.shop.during(at.shop.visitor(), view).get_json() == "done"
        assert mfa.get_required_secondary_factors_for_user(user_id=user_id) == ("other", "totp")

    def test_requirements_of_a_session(self, core: Borrowed, with_session: Any) -> None:
        member = Member.of(site(core), requires=("totp", "otp-email"))
        assert with_session(member, lambda made: mfa.get_mfa_requirements_for_auth(session=made)) == [
            {"oneOf": ["totp", "otp-email"]}
        ]

    def test_a_factor_of_the_apps_own(self, core: Borrowed, with_session: Any) -> None:
        member = Member.of(site(core), requires=("retina",))

        def look(made: session.SessionContainer) -> str:
            mfa.mark_factor_as_complete_in_session(session=made, factor_id="retina")
            return "seen"

        assert with_session(member, look) == "seen"
        assert (member.done, member.page()) == ({"emailpassword", "retina"}, member.user_id)

    def test_whether_a_factor_may_be_set_up(self, core: Borrowed, with_session: Any) -> None:
        member = Member.of(site(core), requires=("totp",))

        def ask(factor_id: str) -> Any:
            def view(made: session.SessionContainer) -> Any:
                try:
                    mfa.assert_allowed_to_setup_factor_else_throw_invalid_claim_error(session=made, factor_id=factor_id)
                except InvalidClaims as refusal:
                    return refusal.payload()["claimValidationErrors"][0]["reason"]["message"]
                return "allowed"

            return with_session(member, view)

        assert ask("totp") == "allowed"
        assert ask("otp-email") == "this factor is not among those that come next"
        import_device(core, member.user_id)
        assert ask("totp") == ask("otp-email") == "a factor that is set up has to be completed first"
        member.enter_totp()
        assert ask("totp") == ask("otp-email") == "allowed"

    def test_a_session_that_was_revoked(self, core: Borrowed) -> None:
        member = Member.of(site(core))
        made = session.create_new_session_without_request_response(recipe_user_id=RecipeUserId(member.user_id))
        session.revoke_session(session_handle=made.get_handle())
        with pytest.raises(Unauthorised):
            mfa.mark_factor_as_complete_in_session(session=made, factor_id="totp")


class TestFirstFactors:
    def test_first_factors_of_the_setting(self, core: Borrowed) -> None:
        at = site(core, first=["emailpassword"])
        visitor = at.shop.visitor()
        assert visitor.call("GET", "/auth/loginmethods").get_json()["firstFactors"] == ["emailpassword"]
        assert at.person().sign_up()["status"] == "OK"
        assert at.person().ask_for_code() == {"message": "unauthorised"}
        assert at.person().by_provider() == {"message": "unauthorised"}

    def test_first_factors_of_the_tenant_take_precedence(self, core: Borrowed) -> None:
        at = site(core, first=["emailpassword"])
        tenant = f"t{uuid.uuid4().hex}"
        config = TenantConfigCreateOrUpdate(first_factors=["otp-email"])
        multitenancy.create_or_update_tenant(tenant_id=tenant, config=config)
        visitor = at.shop.visitor()
        assert visitor.call("GET", f"/auth/{tenant}/loginmethods").get_json()["firstFactors"] == ["otp-email"]
        body = form(email=visitor.email, password=PASSWORD)
        assert visitor.call("POST", f"/auth/{tenant}/signup", body).status_code == 401

    @pytest.mark.parametrize("wrong", [[], "emailpassword", [1]])
    def test_invalid_first_factors_are_refused_at_the_start(self, wrong: Any) -> None:
        with pytest.raises(ConfigError, match="first_factors must be a list of factors"):
            mfa.MultiFactorAuth(first_factors=wrong)


def test_sign_in_without_second_factors_asks_the_core_nothing_more(core: Borrowed) -> None:
    shop = Shop(core, recipes=[EmailPassword(email_delivery=no_mail), AccountLinking()])
    visitor = shop.visitor()
    visitor.sign_up()
    core.calls.clear()
    visitor.sign_in()
    assert not [call for call in core.calls if "metadata" in call or "regenerate" in call]


def test_a_factor_that_is_completed_again_in_the_same_second(timed_core: Borrowed, clock: Clock) -> None:
    """The frontend gets a new access token, whether or not a second has passed since the last one."""
    at = site(timed_core, settings={"sessions": clock.session()})
    at.answer = LINK
    member = Member.of(at)
    before = member.person.visitor.access_token
    assert member.person.sign_in(link=True)["status"] == "OK"
    assert member.person.visitor.access_token != before
