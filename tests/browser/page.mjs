// What a website does with the official web SDK, as functions that the tests call: window.frontend.
// The address of the page says how: ?api=<origin of the API>&mode=cookie|header, and for shared cookie domains
// &frontendDomain=...&backendDomain=... , or &tenant=... , or &factors=second . The links of mails lead to the page too, without that: what was said last holds.
import SuperTokens from "supertokens-web-js";
import EmailPassword from "supertokens-web-js/recipe/emailpassword";
import EmailVerification, { EmailVerificationClaim } from "supertokens-web-js/recipe/emailverification";
import MultiFactorAuth from "supertokens-web-js/recipe/multifactorauth";
import Multitenancy from "supertokens-web-js/recipe/multitenancy";
import Passwordless from "supertokens-web-js/recipe/passwordless";
import Session from "supertokens-web-js/recipe/session";
import ThirdParty from "supertokens-web-js/recipe/thirdparty";
import Totp from "supertokens-web-js/recipe/totp";
import Webauthn from "supertokens-web-js/recipe/webauthn";
import { UserRoleClaim } from "supertokens-web-js/recipe/userroles";

const query = new URLSearchParams(location.search);
if (query.has("api")) localStorage.setItem("settings", location.search);
const settings = Object.fromEntries(new URLSearchParams(localStorage.getItem("settings")));
const events = [];

SuperTokens.init({
    appInfo: { appName: "page", apiDomain: settings.api, apiBasePath: "/auth" },
    recipeList: [
        EmailPassword.init(),
        EmailVerification.init(),
        Passwordless.init(),
        Multitenancy.init({
            override: { functions: (original) => ({ ...original, getTenantId: () => settings.tenant }) },
        }),
        ThirdParty.init(),
        Webauthn.init(),
        ...(settings.factors === "second" ? [MultiFactorAuth.init(), Totp.init()] : []),
        Session.init({
            tokenTransferMethod: settings.mode,
            sessionTokenFrontendDomain: settings.frontendDomain,
            sessionTokenBackendDomain: settings.backendDomain,
            onHandleEvent: (event) => events.push(event),
        }),
    ],
});

const form = (fields) => ({ formFields: Object.entries(fields).map(([id, value]) => ({ id, value })) });

// The SDK's answers carry the Response object, which does not travel to the test.
const plain = ({ fetchResponse, error, ...answer }) => ({ ...answer, httpStatus: fetchResponse?.status });

window.frontend = {
    events,
    signUp: async (fields, more) => plain(await EmailPassword.signUp({ ...form(fields), ...more })),
    signIn: async (fields, more) => plain(await EmailPassword.signIn({ ...form(fields), ...more })),
    emailExists: async (email) => plain(await EmailPassword.doesEmailExist({ email })),
    sendReset: async (email) => plain(await EmailPassword.sendPasswordResetEmail(form({ email }))),
    setPassword: async (password) => plain(await EmailPassword.submitNewPassword(form({ password }))),
    sendVerification: async () => plain(await EmailVerification.sendVerificationEmail()),
    verifyEmail: async () => plain(await EmailVerification.verifyEmail()),
    loginMethods: async () => plain(await Multitenancy.getLoginMethods({ tenantId: settings.tenant })),
    askForCode: async (contact) => plain(await Passwordless.createCode(contact)),
    resendCode: async () => plain(await Passwordless.resendCode()),
    enterCode: async (userInputCode, more) => plain(await Passwordless.consumeCode({ userInputCode, ...more })),
    isLinkOfThisBrowser: async () => {
        const attempt = await Passwordless.getLoginAttemptInfo();
        return attempt !== undefined && attempt.preAuthSessionId === Passwordless.getPreAuthSessionIdFromURL();
    },
    openLink: async () => plain(await Passwordless.consumeCode()),
    signUpWithPasskey: async (email) => plain(await Webauthn.registerCredentialWithSignUp({ email })),
    signInWithPasskey: async () => plain(await Webauthn.authenticateCredentialWithSignIn({})),
    passkeyEmailExists: async (email) => plain(await Webauthn.getEmailExists({ email })),
    recoveryMail: async (email) => plain(await Webauthn.generateRecoverAccountToken({ email })),
    recover: async () =>
        plain(await Webauthn.registerCredentialWithRecoverAccount({ recoverAccountToken: query.get("token") })),
    passkeys: async () => plain(await Webauthn.listCredentials({})),
    addPasskey: async (recipeUserId, email) =>
        plain(await Webauthn.createAndRegisterCredentialForSessionUser({ recipeUserId, email })),
    removePasskey: async (webauthnCredentialId) => plain(await Webauthn.removeCredential({ webauthnCredentialId })),
    factors: async () => plain(await MultiFactorAuth.resyncSessionAndFetchMFAInfo()),
    addApp: async () => plain(await Totp.createDevice()),
    verifyApp: async (deviceName, totp) => plain(await Totp.verifyDevice({ deviceName, totp })),
    enterTotp: async (totp) => plain(await Totp.verifyCode({ totp })),
    leaveFor: async (thirdPartyId) => {
        const frontendRedirectURI = `${location.origin}/auth/callback/${thirdPartyId}`;
        return ThirdParty.getAuthorisationURLWithQueryParamsAndSetState({ thirdPartyId, frontendRedirectURI });
    },
    comeBack: async () => plain(await ThirdParty.signInAndUp()),
    invalidClaims: async () => (await Session.validateClaims()).map(({ id }) => id),
    roles: () => Session.getClaimValue({ claim: UserRoleClaim }),
    signOut: () => Session.signOut(),
    sessionExists: () => Session.doesSessionExist(),
    userId: () => Session.getUserId(),
    payload: () => Session.getAccessTokenPayloadSecurely(),
    accessToken: () => Session.getAccessToken(),
    refresh: () => Session.attemptRefreshingSession(),

    // What a website shows of a call that fails: the SDK throws the response.
    failure: async (name, ...given) => {
        try {
            return { result: await window.frontend[name](...given) };
        } catch (error) {
            if (!(error instanceof Response)) throw error;
            return { status: error.status, retryAfter: error.headers.get("Retry-After"), body: await error.json() };
        }
    },

    // A view that needs more than a session. Who lacks a verified address is sent the mail that they need.
    openView: async (path) => {
        const response = await fetch(settings.api + path);
        const isJson = (response.headers.get("content-type") || "").startsWith("application/json");
        if (response.status !== 403) return { status: response.status, ...(isJson && { body: await response.json() }) };
        const claims = (await Session.getInvalidClaimsFromResponse({ response })).map(({ id }) => id);
        const mail = claims.includes(EmailVerificationClaim.id) ? await window.frontend.sendVerification() : null;
        return { status: 403, claims, mail: mail && mail.status };
    },

    // The website's own calls, as its author writes them.
    call: async (path, options) => {
        const answer = await fetch(settings.api + path, options);
        return { status: answer.status, body: await answer.json() };
    },
    callByXhr: (path) =>
        new Promise((resolve, reject) => {
            const request = new XMLHttpRequest();
            request.open("GET", settings.api + path);
            request.onload = () => resolve({ status: request.status, body: JSON.parse(request.responseText) });
            request.onerror = () => reject(new Error("the request failed"));
            request.send();
        }),

    // What the SDK knows of the access token, read without the SDK, which would refresh an expired one.
    frontToken: () => {
        const cookie = document.cookie.split("; ").find((item) => item.startsWith("sFrontToken="));
        return JSON.parse(atob(cookie.slice("sFrontToken=".length)));
    },
};
