// Prints the functions that the official Node SDK exports, as one JSON object: its own, and those of the recipes named.
const found = {};
for (const name of ["", ...process.argv.slice(2)]) {
    const module = await import(name ? `supertokens-node/recipe/${name}/index.js` : "supertokens-node");
    const names = Object.keys(module).filter((member) => /^[a-z]/.test(member) && member !== "default");
    found[name] = names.filter((member) => typeof module[member] === "function");
}
console.log(JSON.stringify(found));
