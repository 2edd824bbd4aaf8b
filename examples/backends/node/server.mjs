// An API without a framework: node server.mjs
import { createServer } from "node:http";
import { Keys, Refusal, requireRole, Sessions } from "./sessions.mjs";

const { KEYS_URL, ISSUER, WEBSITE, PORT = "3001" } = process.env;
const sessions = new Sessions({ keys: new Keys(KEYS_URL), issuer: ISSUER, origins: [WEBSITE] });

const routes = {
    "GET /api/me": ({ sub }) => ({ userId: sub }),
    "POST /api/notes": ({ sub }) => ({ savedFor: sub }),
    "GET /api/admin": (claims) => {
        requireRole(claims, "admin");
        return { admin: claims.sub };
    },
};

// A page of another origin can read a response only with these headers. Refusals need them, too.
const cors = {
    "Access-Control-Allow-Origin": WEBSITE,
    "Access-Control-Allow-Credentials": "true",
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Allow-Headers": "content-type, authorization, rid, fdi-version, anti-csrf, st-auth-mode",
    "Access-Control-Max-Age": "600",
    Vary: "Origin",
};

async function respond(request) {
    const route = routes[`${request.method} ${request.url.split("?")[0]}`];
    if (route === undefined) return [404, { message: "not found" }];
    try {
        return [200, await route(await sessions.of(request))];
    } catch (error) {
        if (error instanceof Refusal) return [error.status, error.body, error.headers];
        console.error(error);
        return [500, { message: "internal error" }];
    }
}

createServer(async (request, response) => {
    const shared = request.headers.origin === WEBSITE ? cors : {};
    if (request.method === "OPTIONS") return response.writeHead(204, shared).end();
    const [status, body, headers] = await respond(request);
    const own = { "Content-Type": "application/json", "Cache-Control": "no-store" };
    response.writeHead(status, { ...own, ...shared, ...headers });
    response.end(JSON.stringify(body));
}).listen(Number(PORT), "127.0.0.1");
