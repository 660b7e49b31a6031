// Signs every payload of a folder as GitHub does, with GitHub's own library. Prints JSON: the file's name and the signature.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { sign, verify } from "@octokit/webhooks-methods";

const [folder, secret] = process.argv.slice(2);
const signed = {};
for (const name of readdirSync(folder).filter((name) => name.endsWith(".json"))) {
  const body = readFileSync(join(folder, name), "utf8");
  signed[name] = await sign(secret, body);
  if (!(await verify(secret, body, signed[name]))) throw new Error(name);
}
console.log(JSON.stringify(signed));
