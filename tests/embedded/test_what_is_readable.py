"""What a stolen database gives away: as docs/security.md says, keys and secrets, but no password and no token."""

from __future__ import annotations

import pathlib
from contextlib import closing
from typing import Any

import st_wsgi
from st_wsgi.recipes import emailpassword, emailverification, multifactorauth, passwordless, session, totp
from st_wsgi.recipes.multitenancy import Multitenancy
from st_wsgi.recipes.thirdparty import ProviderClientConfig, ProviderConfig, ThirdParty

PASSWORD = "a password to look for 1"
CODE = "a-code-to-look-for"
CLIENT_SECRET = "a-client-secret-to-look-for"


def test_keys_and_secrets_are_readable_and_passwords_and_tokens_are_not(tmp_path: pathlib.Path) -> None:
    recipes: list[Any] = [
        emailpassword.EmailPassword(),
        emailverification.EmailVerification(mode="OPTIONAL"),
        passwordless.Passwordless(
            contact_config=passwordless.ContactEmailOnlyConfig(), flow_type="USER_INPUT_CODE_AND_MAGIC_LINK"
        ),
        multifactorauth.MultiFactorAuth(),
        totp.Totp(),
        ThirdParty(),
        Multitenancy(),
        session.Session(),
    ]
    info = st_wsgi.AppInfo(app_name="Shop", api_domain="http://localhost:3000", website_domain="http://localhost:3000")
    core = f"sqlite:///{tmp_path}/auth.db?argon2_memory_kb=64"
    with closing(st_wsgi.init(app_info=info, core=core, recipes=recipes)) as st:
        made = emailpassword.sign_up(email="ada@example.com", password=PASSWORD)
        assert isinstance(made, emailpassword.SignUpOk)
        reset = emailpassword.create_reset_password_token(user_id=made.user.id, email="ada@example.com")
        confirm = emailverification.create_email_verification_token(recipe_user_id=made.recipe_user_id)
        code = passwordless.create_code(email="bob@example.com", user_input_code=CODE)
        found = session.create_new_session_without_request_response(recipe_user_id=made.recipe_user_id)
        device = totp.create_device(user_id=made.user.id)
        config = ProviderConfig(
            third_party_id="google", clients=[ProviderClientConfig(client_id="shop", client_secret=CLIENT_SECRET)]
        )
        st.services.get(Multitenancy).functions.create_or_update_third_party_config(tenant_id="public", config=config)
        assert isinstance(reset, emailpassword.ResetToken)
        assert isinstance(confirm, emailverification.VerificationToken)
        assert isinstance(device, totp.DeviceCreated)
        tokens = found.get_all_session_tokens_dangerously()
        hidden = [PASSWORD, CODE, reset.token, confirm.token, code.link_code, tokens.refresh_token or "missing"]
    stored = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    for readable in ("PRIVATE KEY", "refresh_token_key", device.secret, CLIENT_SECRET, "ada@example.com", "argon2id"):
        assert readable.encode() in stored, readable
    for text in hidden:
        assert len(text) > 10
        assert text.encode() not in stored
