// The official Node SDK's recipes for second factors and passkeys as a program: it calls their functions on request.
// One JSON object a line comes in, {"call": "totp.createDevice", "with": {"arguments": [...]}}; one goes out, as from
// node_app.mjs.
import readline from "node:readline";
import supertokens from "supertokens-node";
import Session from "supertokens-node/recipe/session/index.js";
import multifactorauth from "supertokens-node/recipe/multifactorauth/index.js";
import totp from "supertokens-node/recipe/totp/index.js";
import webauthn from "supertokens-node/recipe/webauthn/index.js";

console.log = console.error; // standard output carries answers only

supertokens.init({
    supertokens: { connectionURI: process.argv[2], apiKey: process.env.CORE_API_KEY },
    appInfo: { appName: "peer", apiDomain: "http://127.0.0.1:3000", websiteDomain: "http://127.0.0.1:3000" },
    recipeList: [multifactorauth.init(), totp.init(), webauthn.init(), Session.init()],
    telemetry: false,
});

const recipes = { totp, webauthn };
const answer = (value) => process.stdout.write(JSON.stringify(value) + "\n");
const plain = (value) => value?.getAsString?.() ?? value?.toJson?.() ?? value;

answer({ port: 0 });
for await (const line of readline.createInterface({ input: process.stdin })) {
    const request = JSON.parse(line);
    const [recipe, name] = request.call.split(".");
    try {
        const result = await recipes[recipe][name](...request.with.arguments);
        answer({ result: Object.fromEntries(Object.entries(result).map(([key, value]) => [key, plain(value)])) });
    } catch (error) {
        answer({ error: { type: error.type ?? error.name, message: error.message } });
    }
}
