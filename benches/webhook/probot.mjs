// The peer of the bench `webhook`: a probot that verifies pushes and does nothing with them. Run in a folder with probot.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [folder, port, secret, keyFile] = process.argv.slice(2);
const require = createRequire(join(folder, "nothing.js"));
const { Probot, Server } = await import(pathToFileURL(require.resolve("probot")).href);
const privateKey = readFileSync(keyFile, "utf8");
const server = new Server({
  port: Number(port),
  Probot: Probot.defaults({ appId: 1, privateKey, secret, logLevel: "fatal" }),
});
await server.load((app) => {
  app.on("push", () => {});
});
await server.start();
