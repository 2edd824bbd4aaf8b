// Who is the user? Verifies the access tokens of an auth server with its public keys. Needs Node.js 18 and no package.
import { createPublicKey, timingSafeEqual, verify } from "node:crypto";

const FRESH = 15 * 60_000; // Milliseconds after which the keys are fetched again,
const STALE = 24 * 3_600_000; // and for which they are used while the auth server cannot be reached.
const WINDOW = 20_000; // In this time there are at most two fetches,
const TIMEOUT = 3_000; // each of which may take this long.
const LARGEST = 512 * 1024; // Bytes of a key set.
const SKEW = 60; // Seconds that the clock of the auth server may be ahead.
const TOKEN = /^([\w-]{2,1024})\.([\w-]{2,16384})\.([\w-]{342,1366})$/;
const KID = /^[ds]-[A-Za-z0-9-]{1,128}$/;
const HEADER = ["alg", "kid", "typ", "version"];
const TEXTS = ["sub", "rsub", "tId", "sessionHandle", "refreshTokenHash1"];

/** The response to a request that may not go on. */
export class Refusal extends Error {
    constructor(status, body, headers = {}) {
        super(body.message);
        Object.assign(this, { status, body, headers });
    }
}

const noSession = () => new Refusal(401, { message: "unauthorised" });
const tryRefresh = () => new Refusal(401, { message: "try refresh token" });
const unavailable = () => new Refusal(503, { message: "service unavailable" }, { "Retry-After": "10" });

/** The public keys of the auth server. Old keys stay in use while new ones cannot be fetched. */
export class Keys {
    #url;
    #keys = new Map();
    #fetched = -Infinity;
    #tries = [-Infinity, -Infinity];
    #reachable = false;
    #renewal = null;

    constructor(url) {
        if (!/^https?:\/\/./.test(url)) throw new TypeError("the address must begin with https or http");
        this.#url = url;
    }

    /** Return the key with this id, or undefined. Throws a Refusal if that cannot be known now. */
    async find(kid) {
        const age = performance.now() - this.#fetched;
        if (age > STALE || !this.#keys.has(kid)) await this.#renew();
        else if (age > FRESH) void this.#renew(); // This request does not wait for the fetch.
        const isUsable = performance.now() - this.#fetched < STALE;
        if (!isUsable || !(this.#keys.has(kid) || this.#reachable)) throw unavailable();
        return this.#keys.get(kid);
    }

    async #renew() {
        if (this.#renewal === null) {
            const now = performance.now();
            if (now - this.#tries[0] < WINDOW) return;
            this.#tries = [this.#tries[1], now];
            this.#renewal = this.#load().finally(() => (this.#renewal = null));
        }
        await this.#renewal;
    }

    async #load() {
        try {
            const response = await fetch(this.#url, { redirect: "error", signal: AbortSignal.timeout(TIMEOUT) });
            if (response.status !== 200) throw new Error(`status ${response.status}`);
            let text = "";
            for await (const part of response.body.pipeThrough(new TextDecoderStream())) {
                text += part;
                if (text.length > LARGEST) throw new Error("too large");
            }
            const keys = JSON.parse(text).keys.filter(isUsable).map((key) => [key.kid, publicKey(key)]);
            if (keys.length === 0) throw new Error("no usable key");
            this.#keys = new Map(keys);
            this.#fetched = performance.now();
            this.#reachable = true;
        } catch (error) {
            this.#reachable = false;
            console.error(`${this.#url} gave no keys: ${(error.cause ?? error).message}`);
        }
    }
}

const isUsable = ({ kty, kid, alg, use, n, e }) =>
    kty === "RSA" && alg === "RS256" && use === "sig" && e === "AQAB" && typeof kid === "string" && n.length >= 342;

const publicKey = ({ kty, n, e }) => createPublicKey({ key: { kty, n, e }, format: "jwk" });

export class Sessions {
    #keys;
    #issuer;
    #origins;
    #tenants;

    /**
     * @param keys a Keys object
     * @param issuer API domain and base path of the auth server, such as https://shop.example/auth
     * @param origins of the websites whose pages may send changes with cookies
     * @param tenants that are served here
     */
    constructor({ keys, issuer, origins, tenants = ["public"] }) {
        if (!keys || !issuer || !origins?.every(Boolean)) throw new TypeError("keys, issuer and origins are needed");
        this.#keys = keys;
        this.#issuer = issuer;
        this.#origins = origins;
        this.#tenants = tenants;
    }

    /** Return the claims of the session of a request. Throws a Refusal. */
    async of({ method, headers }) {
        const cookies = headers.cookie ?? "";
        if (cookieValues(cookies, "sIdRefreshToken").length > 0) throw tryRefresh();
        const bearer = /^Bearer[ \t]+(\S+)[ \t]*$/i.exec(headers.authorization ?? "");
        const inHeader = parse(bearer?.[1] ?? "");
        const [cookie, ...more] = inHeader ? [] : cookieValues(cookies, "sAccessToken");
        if (more.length > 0) throw tryRefresh(); // Another host of this domain may have set one of them.
        const token = inHeader ?? parse(cookie ?? "");
        if (token === null) throw noSession();

        const { claims } = token;
        this.#checkClaims(claims);
        const key = await this.#keys.find(token.header.kid);
        if (key === undefined || !verify("RSA-SHA256", token.signed, key, token.signature)) throw tryRefresh();

        if (!inHeader && !["GET", "HEAD"].includes(method)) this.#checkSender(headers, claims);
        if (!this.#tenants.includes(claims.tId)) throw new Refusal(403, { message: "forbidden" });
        return claims;
    }

    // Before the signature, so that an expired token fetches no keys.
    #checkClaims(claims) {
        const { iss, iat, exp, nbf = 0, stt = 0 } = claims;
        const hasTexts = TEXTS.every((name) => typeof claims[name] === "string" && claims[name] !== "");
        const hasTimes = [iat, exp, nbf].every(Number.isSafeInteger);
        if (stt !== 0 || iss !== this.#issuer || "aud" in claims || !hasTexts || !hasTimes) throw noSession();
        const now = Date.now() / 1000;
        if (exp <= now || Math.max(iat, nbf) > now + SKEW) throw tryRefresh();
    }

    // Browsers send cookies with requests of other websites, too.
    #checkSender(headers, { antiCsrfToken = null }) {
        const isOurs =
            antiCsrfToken === null
                ? Boolean(headers.rid) || this.#origins.includes(headers.origin)
                : isEqual(headers["anti-csrf"] ?? "", antiCsrfToken);
        if (!isOurs) throw tryRefresh();
    }
}

/** Throws a Refusal if the user has not got this role. */
export function requireRole(claims, role) {
    const roles = claims["st-role"]?.v;
    const areTexts = Array.isArray(roles) && roles.every((each) => typeof each === "string");
    if (areTexts && roles.includes(role)) return;
    const reason = { message: areTexts ? "wrong value" : "value does not exist", expectedToInclude: role };
    throw new Refusal(403, { message: "invalid claim", claimValidationErrors: [{ id: "st-role", reason }] });
}

/** Return the parts of a text that has the form of a session token, or null. */
function parse(text) {
    const [, ...parts] = TOKEN.exec(text) ?? [];
    const bytes = parts.map((part) => Buffer.from(part, "base64url"));
    if (parts.length === 0 || bytes.some((part, i) => part.toString("base64url") !== parts[i])) return null;
    try {
        const [header, claims] = bytes.slice(0, 2).map((part) => JSON.parse(part.toString()));
        const isHeader = String(Object.keys(header).sort()) === String(HEADER);
        if (!isHeader || header.alg !== "RS256" || header.typ !== "JWT" || header.version !== "5") return null;
        if (typeof header.kid !== "string" || !KID.test(header.kid)) return null;
        if (typeof claims !== "object" || claims === null) return null;
        return { header, claims, signed: Buffer.from(`${parts[0]}.${parts[1]}`), signature: bytes[2] };
    } catch {
        return null;
    }
}

/** Return all values of a cookie. Parsers of frameworks hide the second one. */
function cookieValues(header, name) {
    const pairs = header.split(";").map((pair) => pair.trim());
    return pairs.filter((pair) => pair.startsWith(`${name}=`)).map((pair) => pair.slice(name.length + 1));
}

function isEqual(one, other) {
    const [a, b] = [one, other].map((text) => Buffer.from(String(text)));
    return a.length > 0 && a.length === b.length && timingSafeEqual(a, b);
}
