"""
The rules of the frontend's interface that an attacker would like to see broken, F-01 to F-40.

As in `test_rows`, a rule is a function here, or is shown by tests elsewhere, or waits for the recipe that it is about.
"""

from __future__ import annotations

import http.client
from typing import Any

import pytest
import requests
from contract.client import serving
from recipes.shop import PASSWORD, QUICK, Borrowed, Shop, form, no_mail

from hardening.elsewhere import missing
from st_wsgi.embedded import EmbeddedCore
from st_wsgi.recipes import emailpassword
from st_wsgi.recipes.emailpassword import EmailPassword, SignInOk

KEY = "a-key-of-twenty-letters"


@pytest.mark.parametrize("address", ["x@stfakeemail.supertokens.com", " X@A.FakeEmail.com "])
def test_f_04_an_address_that_stands_for_none_is_no_first_factor(core: Borrowed, address: str) -> None:
    """Such a user can exist, made by the app itself, and its address counts as verified."""
    shop = Shop(core, recipes=[EmailPassword(email_delivery=no_mail)])
    emailpassword.sign_up(email=address, password=PASSWORD)
    assert isinstance(emailpassword.sign_in(email=address, password=PASSWORD), SignInOk)
    fields = form(email=address, password=PASSWORD)
    assert shop.visitor().call("POST", "/auth/signin", fields).get_json() == {"status": "WRONG_CREDENTIALS_ERROR"}
    assert shop.visitor().call("POST", "/auth/signup", fields).get_json()["status"] == "FIELD_ERROR"


@pytest.mark.parametrize(
    "path",
    [
        "/recipe/roles",
        "/recipe/roles/",
        "/RECIPE/roles",
        "/public/recipe/roles",
        "/appid-public/recipe/roles",
        "/appid-public/public/recipe/roles",
        "/t1/recipe/roles",
        "//recipe/roles",
        "/./recipe/roles",
        "/recipe/%72oles",
    ],
)
def test_f_40_no_spelling_of_a_path_needs_no_key(path: str) -> None:
    with EmbeddedCore(settings={**QUICK, "api_keys": KEY}) as core, serving(core) as server:
        made: dict[str, Any] = {"headers": {"cdi-version": "5.4", "api-key": KEY}, "timeout": 30}
        tenant = f"{server.address}/recipe/multitenancy/tenant/v2"
        assert requests.put(tenant, json={"tenantId": "t1"}, **made).status_code == 200
        for key in (None, "", KEY.upper()):
            connection = http.client.HTTPConnection(server.address.removeprefix("http://"), timeout=30)
            connection.request("GET", path, headers={"cdi-version": "5.4", **({} if key is None else {"api-key": key})})
            assert connection.getresponse().status in (401, 404)
            connection.close()
        assert requests.get(f"{server.address}/recipe/roles", **made).status_code == 200


ELSEWHERE = {
    "F-01": [
        "recipes/accountlinking/test_decisions.py::test_both_sides_count",
        "recipes/accountlinking/test_third_party.py::test_an_address_that_it_has_not",
    ],
    "F-02": ["recipes/accountlinking/test_automatic.py::test_a_primary_user_that_was_just_made_is_no_exception"],
    "F-03": ["recipes/thirdparty/test_sign_in.py::test_only_true_counts_as_verified"],
    "F-20": [
        "recipes/thirdparty/test_attacks.py::test_it_goes_nowhere_else",
        "recipes/thirdparty/test_attacks.py::test_a_state_that_cannot_be_read",
    ],
    "F-24": ["recipes/thirdparty/test_strangers.py::test_access_tokens_that_another_app_was_given"],
    "F-25": ["recipes/thirdparty/test_sign_in.py::test_a_provider_sends_browsers_to_addresses_of_ours"],
    "F-26": ["recipes/thirdparty/test_strangers.py::test_one_that_another_browser_began_to_ask_for"],
    "F-27": ["recipes/thirdparty/test_sign_in.py::test_a_tenant_changes_the_apps_provider_for_itself_alone"],
    "F-28": ["recipes/thirdparty/test_sign_in.py::test_an_id_is_a_text_or_a_whole_number"],
    "F-05": [
        "recipes/emailpassword/test_sign_up.py::test_it_needs_a_session_that_lives",
        "recipes/accountlinking/test_in_session.py::test_a_session_that_was_revoked",
        "recipes/webauthn/test_sign_in.py::test_f_05_a_revoked_session_gets_401",
    ],
    "F-06": [
        "recipes/emailverification/test_emailverification.py"
        "::test_the_tenant_of_the_session_comes_before_that_of_the_path"
    ],
    "F-07": ["recipes/multitenancy/test_multitenancy.py::test_a_tenant_has_first_factors_of_its_own"],
    "F-08": [
        "recipes/emailpassword/test_sign_up.py::test_concurrent_sign_ups_with_one_e_mail_make_one_user",
        "recipes/thirdparty/test_attacks.py::test_parallel_sign_ups_make_one_user",
    ],
    "F-10": [
        "recipes/webauthn/test_recovery.py::test_unknown_ones_leave_the_token_good",
        "recipes/webauthn/test_recovery.py::test_the_address",
    ],
    "F-11": [
        "recipes/webauthn/test_recovery.py::test_they_may",
        "recipes/webauthn/test_recovery.py::test_they_may_not_any_more",
    ],
    "F-12": [
        "recipes/webauthn/test_recovery.py::test_their_sessions_and_passkeys_end_in_this_order",
        "recipes/webauthn/test_recovery.py::test_sessions_of_other_tenants_end_too",
    ],
    "F-13": ["recipes/webauthn/test_recovery.py::test_f_13_a_primary_user"],
    "F-14": ["recipes/webauthn/test_sign_in.py::test_f_14_a_proof_is_sent_to_the_core_once_in_a_request"],
    "F-09": [
        "recipes/multifactorauth/test_sign_in.py::test_f_09_links_no_login_method",
        "recipes/multifactorauth/test_sign_in.py::test_f_09_changes_no_address",
        "recipes/multifactorauth/test_sign_in.py::test_f_09_adds_and_removes_no_device",
    ],
    "F-16": [
        "recipes/multifactorauth/test_decisions.py::test_f_16_may_remove",
        "recipes/totp/test_totp.py::test_f_16_an_unverified_device_can_be_removed",
    ],
    "F-15": [
        "recipes/webauthn/test_recovery.py::test_f_15_a_recovery_and_another_address_end_the_other_sessions",
        "recipes/emailpassword/test_passwords.py::test_w_075_a_change_ends_the_other_sessions",
        "recipes/emailpassword/test_passwords.py::test_w_075_a_reset_ends_all_sessions_and_the_default_ends_none",
    ],
    "F-17": ["verify/test_identity.py::test_tokens_of_other_kinds_are_no_sessions"],
    "F-18": [
        "recipes/session/test_functions.py::test_a_claim_never_writes_a_protected_name",
        "recipes/session/test_functions.py::test_a_session_by_its_handle_can_be_validated",
    ],
    "F-19": [
        "verify/test_load.py::test_a_flood_of_unknown_kids_gets_the_budget_and_no_more",
        "verify/test_load.py::test_ten_thousand_random_kids",
    ],
    "F-21": ["recipes/saml/test_saml.py::test_no_redirect_to_an_address_that_is_not_registered"],
    "F-29": ["recipes/saml/test_saml.py::test_the_core_gets_the_saml_response_unchanged"],
    "F-35": [
        "test_instances.py::test_each_of_many_requests_in_flight_has_its_own_context",
        "test_instances.py::test_a_thread_that_serves_many_requests_carries_nothing_from_one_to_the_next",
        "test_instances.py::test_half_read_lazy_answers_do_not_mix_their_contexts",
    ],
    "F-36": ["hardening/test_rows.py::each_request_has_its_own_origin"],
    "F-37": [
        "test_bad_input.py::test_one_that_is_down_is_a_503",
        "verify/test_rotation.py::test_a_new_kid_while_the_key_server_is_down_is_503_and_not_401",
    ],
    "F-38": [
        "test_bad_input.py::test_hostile_texts_in_any_field_never_break_a_route",
        "test_bad_input.py::test_one_that_talks_nonsense_is_a_500_that_says_nothing",
    ],
    "F-39": [
        "recipes/session/test_functions.py::test_protected_claims_are_never_taken_from_the_app",
        "recipes/session/test_functions.py::test_nor_when_it_is_merged",
    ],
}
"""Rules that tests of other files show."""

HERE = {"F-04", "F-40"}

LATER = {
    **dict.fromkeys(["F-22", "F-23"], "OAuth 2"),
    **dict.fromkeys(["F-30", "F-31", "F-32", "F-33", "F-34"], "the dashboard"),
}
"""Rules about a recipe that is not there yet."""


def test_every_rule_is_shown_or_waits_for_a_recipe() -> None:
    places = [HERE, set(ELSEWHERE), set(LATER)]
    assert sorted(rule for place in places for rule in place) == [f"F-{number:02}" for number in range(1, 41)]
    assert {rule for rule in HERE if f"test_{rule.lower().replace('-', '_')}_" in "\n".join(globals())} == HERE


@pytest.mark.parametrize("rule", sorted(ELSEWHERE))
def test_the_rule_is_shown_by_tests_that_exist(rule: str) -> None:
    assert [place for place in ELSEWHERE[rule] if missing(place)] == []
