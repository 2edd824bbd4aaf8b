// The certified OpenID provider with its pages for trials: `node provider.mjs '{"port": ..., "clients": [...]}'`.
// Whoever signs in with a name has the address <name>@example.com. A POST to /rotate gives it other signing keys, and
// a POST to /forget others without those from before. It has a key for RS256 and one for ES256.
import { generateKeyPairSync, randomUUID } from "node:crypto";
import { createServer } from "node:http";
import Provider from "oidc-provider";

const { port, clients } = JSON.parse(process.argv[2]);
const cookieKeys = [randomUUID()];
let keys = [];

// Everything else that the provider remembers outlives the rotation: its storage is one for the process.
function newKey(alg, ...kind) {
    const { privateKey } = generateKeyPairSync(...kind);
    return { ...privateKey.export({ format: "jwk" }), kid: randomUUID(), use: "sig", alg };
}

function providerWithNewKeys(kept) {
    keys = [newKey("RS256", "rsa", { modulusLength: 2048 }), newKey("ES256", "ec", { namedCurve: "P-256" }), ...kept];
    const provider = new Provider(`http://127.0.0.1:${port}`, {
        clients,
        jwks: { keys },
        cookies: { keys: cookieKeys },
        claims: { openid: ["sub"], email: ["email", "email_verified"] },
        pkce: { required: (_, client) => client.clientAuthMethod === "none" },
        findAccount: (_, id) => ({
            accountId: id,
            claims: () => ({ sub: id, email: `${id}@example.com`, email_verified: !id.startsWith("unverified") }),
        }),
    });
    provider.on("server_error", (_, error) => console.error(error));
    return provider.callback();
}

let answer = providerWithNewKeys([]);

createServer((request, response) => {
    if (request.method === "POST" && ["/rotate", "/forget"].includes(request.url)) {
        answer = providerWithNewKeys(request.url === "/rotate" ? keys : []);
        response.end();
    } else answer(request, response);
}).listen(port, "127.0.0.1");
