"""The official SDKs and ours on a core that keeps its users in PostgreSQL: some tests of the other files again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from cluster import Cluster, cluster  # noqa: F401  # a fixture

from sdks import test_accounts, test_functions, test_interchange
from sdks.conftest import API_KEY, official, serving_core
from sdks.ours import Ours, frontend_of_ours
from sdks.peers import Peer
from sdks.test_functions import session, user  # noqa: F401  # fixtures
from sdks.test_interchange import theirs  # noqa: F401  # a fixture

#: The contract suite makes these calls on PostgreSQL, and the other files have what the SDKs do with the answers.
pytestmark = pytest.mark.exhaustive


@pytest.fixture(scope="module")
def core_url(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:  # noqa: F811
    """The address of the core."""
    with serving_core(cluster.address(), tmp_path_factory.mktemp("core")) as url:
        yield url


@pytest.fixture(scope="module", params=["node", "python"])
def sdk(request: pytest.FixtureRequest, core_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    """The official SDK for Node, then the one for Python."""
    with official(request.param, core_url, tmp_path_factory) as peer:
        yield peer


@pytest.fixture(scope="module")
def ours(core_url: str) -> Iterator[Ours]:
    """The same app with our SDK."""
    ours = frontend_of_ours(core_url, API_KEY)
    yield ours
    ours.st.close()


test_two_users_of_one_address = test_functions.test_a_second_sign_up_with_the_same_address_is_refused
test_sign_in = test_functions.test_sign_in_finds_the_user_and_refuses_a_wrong_password_or_address
test_refresh = test_functions.test_refresh_rotates_both_tokens_and_keeps_the_session
test_theft = test_functions.test_using_an_old_refresh_token_after_its_successor_was_used_is_theft
test_revocation = test_functions.test_a_revoked_session_neither_refreshes_nor_passes_a_database_check
test_data_of_sessions = test_functions.test_what_a_session_keeps_is_read_and_replaced
test_roles = test_accounts.test_users_gain_and_lose_roles_and_sessions_carry_them
test_password_reset = test_accounts.test_a_password_is_reset_once_with_its_token
test_deletion = test_accounts.test_a_deleted_user_is_gone_with_their_sessions
test_ids_of_the_app = test_accounts.test_a_user_with_an_id_of_the_app_is_known_by_it_everywhere
test_a_session_of_theirs = test_interchange.test_a_session_of_theirs_is_verified_and_refreshed_by_ours
test_a_session_of_ours = test_interchange.test_a_session_of_ours_is_verified_and_refreshed_by_theirs
