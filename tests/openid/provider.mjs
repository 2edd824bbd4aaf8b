// The certified OpenID provider with its pages for trials: `node provider.mjs '{"port": ..., "clients": [...]}'`.
// Whoever signs in with a name has the address <name>@example.com. A POST to /rotate gives it another signing key, and
// a POST to /forget one without the key from before.
import { generateKeyPairSync, randomUUID } from "node:crypto";
import { createServer } from "node:http";
import Provider from "oidc-provider";

const { port, clients } = JSON.parse(process.argv[2]);
const cookieKeys = [randomUUID()];
let keys = [];

// Everything else that the provider remembers outlives the rotation: its storage is one for the process.
function providerWithNewKey(kept) {
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    keys = [{ ...privateKey.export({ format: "jwk" }), kid: randomUUID(), use: "sig", alg: "RS256" }, ...kept];
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

let answer = providerWithNewKey([]);

createServer((request, response) => {
    if (request.method === "POST" && ["/rotate", "/forget"].includes(request.url)) {
        answer = providerWithNewKey(request.url === "/rotate" ? keys : []);
        response.end();
    } else answer(request, response);
}).listen(port, "127.0.0.1");
