// The types that the official Node SDK has for a core's answers, as JSON on standard output: the compiler reads the
// schema in the SDK's package. {"get /recipe/role": {"200": [{"object": {"status": {"is": [{"value": "OK"}]}}}]}}
import ts from "typescript";

const file = process.argv[2];
const program = ts.createProgram([file], { strict: true, lib: ["lib.es5.d.ts"], types: [] });
const checker = program.getTypeChecker();
const source = program.getSourceFile(file);
const paths = checker.getExportsOfModule(checker.getSymbolAtLocation(source)).find((found) => found.name === "paths");
const members = (type) => checker.getPropertiesOfType(type).map((one) => [one, checker.getTypeOfSymbol(one)]);
const member = (type, name) => {
    const found = type && checker.getPropertyOfType(type, name);
    return found && checker.getTypeOfSymbol(found);
};

// One entry for each alternative of a union; a field that may be left out has one without a value.
const described = (type) =>
    (type.isUnion() ? type.types : [type]).filter((one) => !(one.flags & ts.TypeFlags.Undefined)).map(alternative);

function alternative(type) {
    if (type.isStringLiteral() || type.isNumberLiteral()) return { value: type.value };
    if (type.flags & ts.TypeFlags.BooleanLiteral) return { value: checker.typeToString(type) === "true" };
    if (type.flags & ts.TypeFlags.Null) return { value: null };
    if (type.flags & ts.TypeFlags.String) return { type: "string" };
    if (type.flags & ts.TypeFlags.Number) return { type: "number" };
    if (checker.isArrayType(type)) return { items: described(checker.getTypeArguments(type)[0]) };
    const index = checker.getIndexTypeOfType(type, ts.IndexKind.String);
    if (index || type.flags & ts.TypeFlags.Object || type.isIntersection()) {
        const fields = members(type).map(([one, of]) => [
            one.name,
            { is: described(of), optional: Boolean(one.flags & ts.SymbolFlags.Optional) },
        ]);
        return { object: Object.fromEntries(fields), ...(index && { others: described(index) }) };
    }
    if (type.flags & ts.TypeFlags.Unknown) return {};
    throw new Error(`no description of ${checker.typeToString(type)}`);
}

const answers = {};
for (const [path, methods] of members(checker.getDeclaredTypeOfSymbol(paths))) {
    for (const method of ["get", "post", "put", "delete"]) {
        const responses = member(member(methods, method), "responses");
        for (const [status, response] of responses ? members(responses) : []) {
            for (const [, body] of members(member(response, "content"))) {
                // The tenant is optional. Two rows of one path differ by blank letters at their ends.
                const key = `${method.toUpperCase()} ${path.name.replace("/<tenantId>", "").replace(/\u2800+$/, "")}`;
                const statuses = (answers[key] ??= {});
                (statuses[status.name] ??= []).push(...described(body));
            }
        }
    }
}
console.log(JSON.stringify(answers));
