// What a website does with the official web SDK, as functions that the tests call: window.frontend.
// The address of the page says how: ?api=<origin of the API>&mode=cookie|header, and for shared cookie domains
// &frontendDomain=...&backendDomain=... .
import SuperTokens from "supertokens-web-js";
import EmailPassword from "supertokens-web-js/recipe/emailpassword";
import Session from "supertokens-web-js/recipe/session";

const settings = Object.fromEntries(new URLSearchParams(location.search));
const events = [];

SuperTokens.init({
    appInfo: { appName: "page", apiDomain: settings.api, apiBasePath: "/auth" },
    recipeList: [
        EmailPassword.init(),
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
const plain = ({ fetchResponse, ...answer }) => ({ ...answer, httpStatus: fetchResponse.status });

window.frontend = {
    events,
    signUp: async (fields) => plain(await EmailPassword.signUp(form(fields))),
    signIn: async (fields) => plain(await EmailPassword.signIn(form(fields))),
    emailExists: async (email) => plain(await EmailPassword.doesEmailExist({ email })),
    signOut: () => Session.signOut(),
    sessionExists: () => Session.doesSessionExist(),
    userId: () => Session.getUserId(),
    payload: () => Session.getAccessTokenPayloadSecurely(),
    accessToken: () => Session.getAccessToken(),
    refresh: () => Session.attemptRefreshingSession(),

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
