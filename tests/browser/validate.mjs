// Prints what html-validate says of the documents in a JSON array of [name, text] on standard input.
import { readFileSync } from "node:fs";
import { HtmlValidate } from "html-validate";

const off = ["long-title", "no-trailing-whitespace", "void-style", "attr-quotes"]; // the form in which people write HTML
const rules = Object.fromEntries(off.map((rule) => [rule, "off"]));
const validator = new HtmlValidate({ root: true, extends: ["html-validate:standard"], rules });
for (const [name, text] of JSON.parse(readFileSync(0, "utf8"))) {
  const report = await validator.validateString(text);
  for (const { messages } of report.results) {
    for (const { ruleId, message, selector } of messages) console.log(`${name}: ${ruleId}: ${message} (${selector})`);
  }
}
