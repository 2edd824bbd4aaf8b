// The official Node SDK as a program: it serves the SDK's routes with Express and calls its functions on request.
// One JSON object a line comes in, {"call": name, "with": {...}}; one goes out, {"result": ...} or {"error": {type, message}}.
import express from "express";
import readline from "node:readline";
import supertokens from "supertokens-node";
import AccountLinking from "supertokens-node/recipe/accountlinking/index.js";
import EmailPassword from "supertokens-node/recipe/emailpassword/index.js";
import EmailVerification from "supertokens-node/recipe/emailverification/index.js";
import MultiFactorAuth from "supertokens-node/recipe/multifactorauth/index.js";
import Multitenancy from "supertokens-node/recipe/multitenancy/index.js";
import Passwordless from "supertokens-node/recipe/passwordless/index.js";
import Session from "supertokens-node/recipe/session/index.js";
import ThirdParty from "supertokens-node/recipe/thirdparty/index.js";
import TOTP from "supertokens-node/recipe/totp/index.js";
import UserMetadata from "supertokens-node/recipe/usermetadata/index.js";
import UserRoles from "supertokens-node/recipe/userroles/index.js";
import Webauthn from "supertokens-node/recipe/webauthn/index.js";
import { errorHandler, middleware } from "supertokens-node/framework/express/index.js";
import { verifySession } from "supertokens-node/recipe/session/framework/express/index.js";

console.log = console.error; // standard output carries answers only

// The messages with codes and links: where each went, its link and its code.
const mails = [];
const keep = async (input) =>
    void mails.push({
        to: input.email ?? input.phoneNumber ?? input.user.email,
        link: input.urlWithLinkCode ?? input.recoverAccountLink,
        code: input.userInputCode,
    });

// What this app says about linking accounts; the test changes it.
const rules = {
    none: { shouldAutomaticallyLink: false },
    link: { shouldAutomaticallyLink: true, shouldRequireVerification: false },
    verified: { shouldAutomaticallyLink: true, shouldRequireVerification: true },
};
let rule = "none";

supertokens.init({
    framework: "express",
    supertokens: { connectionURI: process.argv[2], apiKey: process.env.CORE_API_KEY },
    appInfo: { appName: "peer", apiDomain: "http://127.0.0.1:3000", websiteDomain: "http://127.0.0.1:3000" },
    recipeList: [
        ...(process.argv.includes("links")
            ? [AccountLinking.init({ shouldDoAutomaticAccountLinking: async () => rules[rule] })]
            : []),
        EmailPassword.init(),
        EmailVerification.init({ mode: "OPTIONAL" }),
        Passwordless.init({
            contactMethod: "EMAIL_OR_PHONE",
            flowType: "USER_INPUT_CODE_AND_MAGIC_LINK",
            emailDelivery: { override: (original) => ({ ...original, sendEmail: keep }) },
            smsDelivery: { override: (original) => ({ ...original, sendSms: keep }) },
        }),
        ThirdParty.init(),
        UserMetadata.init(),
        UserRoles.init(),
        Webauthn.init({ emailDelivery: { override: (original) => ({ ...original, sendEmail: keep }) } }),
        Session.init(),
        ...(process.argv.includes("factors") ? [MultiFactorAuth.init(), TOTP.init()] : []),
    ],
    telemetry: false,
});

const answer = (value) => process.stdout.write(JSON.stringify(value) + "\n");
const recipeUserId = (id) => supertokens.convertToRecipeUserId(id);
const account = (result) => ({
    status: result.status,
    user: result.user?.toJson(),
    recipe_user_id: result.recipeUserId?.getAsString(),
});
// The SDK's result with its names in snake case, as the Python SDK has them.
const outcome = (result) =>
    Object.fromEntries(
        Object.entries(result).map(([name, value]) => [name.replace(/[A-Z]/g, (letter) => "_" + letter.toLowerCase()), value])
    );
const sessionFacts = (session) => {
    const tokens = session.getAllSessionTokensDangerously();
    return {
        user_id: session.getUserId(),
        handle: session.getHandle(),
        tenant_id: session.getTenantId(),
        payload: session.getAccessTokenPayload(),
        access_token: tokens.accessToken,
        refresh_token: tokens.refreshToken ?? null,
        updated: tokens.accessAndFrontTokenUpdated,
    };
};

// A function of account linking by its name in the Python SDK.
const linkingFunction = async ({ function: name, user_id, primary_user_id, email, is_verified, access_token }) => {
    const session =
        access_token === undefined
            ? undefined
            : await Session.getSessionWithoutRequestResponse(access_token, undefined, {
                  antiCsrfCheck: false,
                  overrideGlobalClaimValidators: () => [],
              });
    const method = user_id === undefined ? undefined : recipeUserId(user_id);
    const functions = {
        can_create_primary_user: () => AccountLinking.canCreatePrimaryUser(method),
        create_primary_user: () => AccountLinking.createPrimaryUser(method),
        can_link_accounts: () => AccountLinking.canLinkAccounts(method, primary_user_id),
        link_accounts: () => AccountLinking.linkAccounts(method, primary_user_id),
        unlink_account: () => AccountLinking.unlinkAccount(method),
        is_sign_up_allowed: () =>
            AccountLinking.isSignUpAllowed("public", { recipeId: "emailpassword", email }, is_verified, session),
        is_sign_in_allowed: () => AccountLinking.isSignInAllowed("public", method, session),
        is_email_change_allowed: () => AccountLinking.isEmailChangeAllowed(method, email, is_verified, session),
        create_primary_user_id_or_link_accounts: () =>
            AccountLinking.createPrimaryUserIdOrLinkAccounts("public", method, session),
        get_primary_user_that_can_be_linked_to_recipe_user_id: () =>
            AccountLinking.getPrimaryUserThatCanBeLinkedToRecipeUserId("public", method),
    };
    const result = await functions[name]();
    if (result === undefined || typeof result === "boolean") return result ?? null;
    if (result.loginMethods !== undefined) return { user: result.toJson() };
    const { user, description, ...facts } = result;
    return user === undefined ? outcome(facts) : { ...outcome(facts), user: user.toJson() };
};

const calls = {
    linking: linkingFunction,
    mails: ({ after }) => mails.slice(after),
    linking_rule: (given) => (rule = given.rule),
    create_code: async ({ email, tenant_id }) => outcome(await Passwordless.createCode({ email, tenantId: tenant_id })),
    passwordless_sign_in_up: async ({ email, tenant_id }) =>
        account(await Passwordless.signInUp({ email, tenantId: tenant_id })),
    create_tenant: async ({ tenant_id, first_factors }) =>
        outcome(await Multitenancy.createOrUpdateTenant(tenant_id, { firstFactors: first_factors })),
    first_factors: async ({ tenant_id }) => (await Multitenancy.getTenant(tenant_id))?.firstFactors ?? null,
    delete_tenant: async ({ tenant_id }) => outcome(await Multitenancy.deleteTenant(tenant_id)),
    associate: async ({ tenant_id, user_id }) =>
        outcome(await Multitenancy.associateUserToTenant(tenant_id, recipeUserId(user_id))),
    disassociate: async ({ tenant_id, user_id }) =>
        outcome(await Multitenancy.disassociateUserFromTenant(tenant_id, recipeUserId(user_id))),
    set_provider: async ({ tenant_id, config }) =>
        outcome(await Multitenancy.createOrUpdateThirdPartyConfig(tenant_id, config)),
    providers: async ({ tenant_id }) => (await Multitenancy.getTenant(tenant_id)).thirdParty.providers,
    delete_provider: async ({ tenant_id, third_party_id }) =>
        outcome(await Multitenancy.deleteThirdPartyConfig(tenant_id, third_party_id)),

    sign_up: async ({ email, password }) => account(await EmailPassword.signUp("public", email, password)),
    sign_in: async ({ email, password }) => account(await EmailPassword.signIn("public", email, password)),
    create_session: async ({ user_id, payload, data }) =>
        sessionFacts(
            await Session.createNewSessionWithoutRequestResponse("public", recipeUserId(user_id), payload, data)
        ),
    get_session: async ({ access_token, check_database }) =>
        sessionFacts(
            await Session.getSessionWithoutRequestResponse(access_token, undefined, {
                antiCsrfCheck: false,
                checkDatabase: check_database,
            })
        ),
    refresh: async ({ refresh_token }) =>
        sessionFacts(await Session.refreshSessionWithoutRequestResponse(refresh_token, true)),
    revoke: async ({ session_handle }) => await Session.revokeSession(session_handle),
    revoke_all: async ({ user_id }) => await Session.revokeAllSessionsForUser(user_id),
    handles: async ({ user_id }) => await Session.getAllSessionHandlesForUser(user_id),
    session_information: async ({ session_handle }) => {
        const found = await Session.getSessionInformation(session_handle);
        return found === undefined
            ? null
            : {
                  user_id: found.userId,
                  data: found.sessionDataInDatabase,
                  payload: found.customClaimsInAccessTokenPayload,
                  expiry: found.expiry,
                  created: found.timeCreated,
              };
    },
    update_data: async ({ session_handle, new_session_data }) =>
        await Session.updateSessionDataInDatabase(session_handle, new_session_data),
    merge_payload: async ({ session_handle, new_access_token_payload }) =>
        await Session.mergeIntoAccessTokenPayload(session_handle, new_access_token_payload),
    jwks: async () => (await Session.getJWKS()).keys,
    create_jwt: async ({ payload, validity_seconds, use_static_key }) =>
        await Session.createJWT(payload, validity_seconds, use_static_key),

    get_user: async ({ user_id }) => (await supertokens.getUser(user_id))?.toJson() ?? null,
    users_by_email: async ({ email }) =>
        (await supertokens.listUsersByAccountInfo("public", { email })).map((user) => user.toJson()),
    users: async ({ newest_first, limit, pagination_token }) => {
        const list = newest_first ? supertokens.getUsersNewestFirst : supertokens.getUsersOldestFirst;
        const page = await list({ tenantId: "public", limit, paginationToken: pagination_token ?? undefined });
        return { ids: page.users.map((user) => user.id), next: page.nextPaginationToken ?? null };
    },
    count_users: async () => await supertokens.getUserCount(undefined, "public"),
    delete_user: async ({ user_id }) => (await supertokens.deleteUser(user_id)).status,
    map_user: async ({ user_id, external_user_id, external_user_id_info, force }) =>
        outcome(
            await supertokens.createUserIdMapping({
                superTokensUserId: user_id,
                externalUserId: external_user_id,
                externalUserIdInfo: external_user_id_info,
                force,
            })
        ),
    mapping_of: async ({ user_id }) => {
        const found = await supertokens.getUserIdMapping({ userId: user_id });
        return found.status === "OK"
            ? {
                  status: "OK",
                  user_id: found.superTokensUserId,
                  external_user_id: found.externalUserId,
                  info: found.externalUserIdInfo ?? null,
              }
            : { status: found.status };
    },
    unmap_user: async ({ user_id, force }) =>
        (await supertokens.deleteUserIdMapping({ userId: user_id, force })).didMappingExist,

    reset_token: async ({ user_id, email }) =>
        outcome(await EmailPassword.createResetPasswordToken("public", user_id, email)),
    reset_password: async ({ token, new_password }) =>
        (await EmailPassword.resetPasswordUsingToken("public", token, new_password)).status,
    consume_reset_token: async ({ token }) => outcome(await EmailPassword.consumePasswordResetToken("public", token)),
    update_account: async ({ user_id, email, password }) =>
        (
            await EmailPassword.updateEmailOrPassword({
                recipeUserId: recipeUserId(user_id),
                email: email ?? undefined,
                password: password ?? undefined,
            })
        ).status,

    verification_token: async ({ user_id }) =>
        outcome(await EmailVerification.createEmailVerificationToken("public", recipeUserId(user_id))),
    verify_email: async ({ token }) => (await EmailVerification.verifyEmailUsingToken("public", token)).status,
    is_verified: async ({ user_id }) => await EmailVerification.isEmailVerified(recipeUserId(user_id)),
    unverify: async ({ user_id }) => (await EmailVerification.unverifyEmail(recipeUserId(user_id))).status,
    revoke_verification_tokens: async ({ user_id }) =>
        (await EmailVerification.revokeEmailVerificationTokens("public", recipeUserId(user_id))).status,

    get_metadata: async ({ user_id }) => (await UserMetadata.getUserMetadata(user_id)).metadata,
    update_metadata: async ({ user_id, change }) => (await UserMetadata.updateUserMetadata(user_id, change)).metadata,
    clear_metadata: async ({ user_id }) => (await UserMetadata.clearUserMetadata(user_id)).status,

    create_role: async ({ role, permissions }) =>
        outcome(await UserRoles.createNewRoleOrAddPermissions(role, permissions)),
    add_role: async ({ user_id, role }) => outcome(await UserRoles.addRoleToUser("public", user_id, role)),
    remove_role: async ({ user_id, role }) => outcome(await UserRoles.removeUserRole("public", user_id, role)),
    roles_of: async ({ user_id }) => (await UserRoles.getRolesForUser("public", user_id)).roles,
    users_with_role: async ({ role }) => outcome(await UserRoles.getUsersThatHaveRole("public", role)),
    permissions_of: async ({ role }) => outcome(await UserRoles.getPermissionsForRole(role)),
    remove_permissions: async ({ role, permissions }) =>
        outcome(await UserRoles.removePermissionsFromRole(role, permissions)),
    roles_with_permission: async ({ permission }) => (await UserRoles.getRolesThatHavePermission(permission)).roles,
    delete_role: async ({ role }) => (await UserRoles.deleteRole(role)).didRoleExist,
    all_roles: async () => (await UserRoles.getAllRoles()).roles,
};

const app = express();
app.use(middleware());
app.get("/sessioninfo", verifySession(), (request, response) => {
    const payload = request.session.getAccessTokenPayload();
    const claims = Object.fromEntries(["st-ev", "st-role", "st-perm", "tId"].map((name) => [name, payload[name] ?? null]));
    response.json({ userId: request.session.getUserId(), sessionHandle: request.session.getHandle(), claims });
});
app.use(errorHandler());

const server = app.listen(0, "127.0.0.1", async () => {
    answer({ port: server.address().port });
    for await (const line of readline.createInterface({ input: process.stdin })) {
        const request = JSON.parse(line);
        try {
            answer({ result: await calls[request.call](request.with) });
        } catch (error) {
            answer({ error: { type: error.type ?? error.name, message: error.message } });
        }
    }
    server.closeAllConnections();
    server.close();
});
