// GitHub's own client does everything that an app does, from a manifest to the end, at a GitHub that is given. Takes its
// address, where its API begins, and an organisation there; prints JSON: how often what was done.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { App, Octokit } from "octokit";

const [web, baseUrl, org] = process.argv.slice(2);
const Client = Octokit.defaults({ baseUrl, log: { debug() {}, info() {}, warn() {}, error: console.error } });
const quiet = Octokit.defaults({ baseUrl, log: { debug() {}, info() {}, warn() {}, error() {} } });
const refused = (status, text) => (error) => error.status === status && (!text || error.message.includes(text));

// What a person does by browser.
const send = async (path, fields) => {
  const answer = await fetch(new URL(path, web), { method: "POST", body: new URLSearchParams(fields), redirect: "manual" });
  assert.equal(answer.status, 302, await answer.text());
  return new URL(answer.headers.get("location"), web);
};

// Somebody who takes deliveries, and checks their signatures by GitHub's library.
const heard = [];
let app;
const hook = createServer(async (request, response) => {
  let body = "";
  for await (const part of request) body += part;
  const { "x-hub-signature-256": signature, "x-github-event": name, "x-github-delivery": id } = request.headers;
  const good = await app.webhooks.verify(body, signature);
  heard.push({ name, id, good, action: JSON.parse(body).action });
  response.writeHead(good ? 204 : 401).end();
});
await once(hook.listen(0, "127.0.0.1"), "listening");
const hears = async (name, action) => {
  while (!heard.some((one) => one.name === name && one.action === action)) await new Promise((go) => setTimeout(go, 20));
};

// From the manifest to the app.
const manifest = {
  name: "Driven by Octokit",
  url: "https://keytrail.example",
  hook_attributes: { url: "https://hooks.invalid/github", active: true },
  redirect_url: "https://keytrail.example/callback",
  setup_url: "https://keytrail.example/setup",
  public: false,
  default_permissions: { contents: "write", metadata: "read", pull_requests: "write" },
  default_events: ["push", "repository"],
};
const registered = await send(`/organizations/${org}/settings/apps/manifest?state=S`, {
  manifest: JSON.stringify(manifest),
  name: manifest.name,
  state: "S",
});
assert.equal(registered.searchParams.get("state"), "S");
const code = registered.searchParams.get("code");
const anonymous = new quiet();
const { status, data: made } = await anonymous.rest.apps.createFromManifest({ code });
assert.equal(status, 201);
assert.equal(made.slug, "driven-by-octokit");
assert.equal(made.owner.login, org);
assert.match(made.pem, /^-----BEGIN RSA PRIVATE KEY-----\n/);
await assert.rejects(anonymous.rest.apps.createFromManifest({ code }), refused(404));
await assert.rejects(anonymous.rest.apps.getAuthenticated(), refused(401));

// As the app: what its client signs is taken, and what another key signed is not.
app = new App({ appId: made.id, privateKey: made.pem, webhooks: { secret: made.webhook_secret }, Octokit: Client });
const { rest: asApp } = app.octokit;
assert.equal((await asApp.apps.getAuthenticated()).data.id, made.id);
const stranger = await anonymous.rest.apps.createFromManifest({
  code: (
    await send(`/organizations/${org}/settings/apps/manifest`, {
      manifest: JSON.stringify({ ...manifest, name: "A stranger" }),
      name: "A stranger",
      state: "",
    })
  ).searchParams.get("code"),
});
const wrong = new App({ appId: made.id, privateKey: stranger.data.pem, Octokit: quiet });
await assert.rejects(wrong.octokit.rest.apps.getAuthenticated(), refused(401, "could not be decoded"));
const byClientId = new App({ appId: made.client_id, privateKey: made.pem, Octokit: quiet });
assert.equal((await byClientId.octokit.rest.apps.getAuthenticated()).data.slug, made.slug);

// Where its deliveries go.
assert.equal((await asApp.apps.getWebhookConfigForApp()).data.url, manifest.hook_attributes.url);
const url = `http://127.0.0.1:${hook.address().port}/hook`;
// Its method of that name takes `url` for the address of the request.
const { data: hooked } = await app.octokit.request("PATCH /app/hook/config", { data: { url, content_type: "json" } });
assert.equal(hooked.url, url);

// Asked for, installed, found.
await assert.rejects(asApp.apps.getOrgInstallation({ org }), refused(404));
const page = new URL(made.html_url).pathname;
await send(`${page}/requests`, { state: "S" });
const asked = await app.octokit.paginate("GET /app/installation-requests");
assert.deepEqual(asked.map((one) => one.account.login), [org]);
const back = await send(`${page}/installations`, { selection: "all", state: "S" });
assert.equal(back.searchParams.get("setup_action"), "install");
const { data: installation } = await asApp.apps.getOrgInstallation({ org });
assert.equal(String(installation.id), back.searchParams.get("installation_id"));
const ids = [];
for await (const one of app.eachInstallation.iterator()) ids.push(one.installation.id);
assert.deepEqual(ids, [installation.id]);
await hears("installation", "created");

// As the installation: its token, and every repository page by page.
const octokit = await app.getInstallationOctokit(installation.id);
const token = await octokit.auth({ type: "installation" });
assert.match(token.token, /^ghs_/);
assert.ok(new Date(token.expiresAt) > new Date());
const repositories = await octokit.paginate(octokit.rest.apps.listReposAccessibleToInstallation, { per_page: 10 });
const seen = [];
for await (const { repository } of app.eachRepository.iterator({ installationId: installation.id })) seen.push(repository.id);
assert.deepEqual(repositories.map((one) => one.id).sort(), seen.sort());
const one = await octokit.auth({ type: "installation", repositoryNames: ["shop"], permissions: { contents: "read" } });
assert.deepEqual([one.repositoryNames, one.permissions.contents], [["shop"], "read"]);
await assert.rejects(octokit.auth({ type: "installation", repositoryNames: ["nowhere"] }), refused(422));
await assert.rejects(octokit.auth({ type: "installation", permissions: { issues: "write" } }), refused(422));

// What is in a repository; one that was called something else leads there.
const { data: shop } = await octokit.rest.repos.get({ owner: org, repo: "before" });
assert.equal(shop.full_name, `${org}/shop`);
const branches = await octokit.paginate(octokit.rest.repos.listBranches, { owner: org, repo: "shop" });
assert.deepEqual(branches.map((branch) => branch.name), ["main"]);
const { data: ref } = await octokit.rest.git.getRef({ owner: org, repo: "shop", ref: "heads/main" });
assert.equal(ref.object.sha, branches[0].commit.sha);
const pulls = await octokit.paginate(octokit.rest.pulls.list, { owner: org, repo: "shop", state: "all" });
assert.deepEqual(pulls.map((pull) => pull.title), ["SHOP-1 a change"]);
await assert.rejects(octokit.rest.repos.get({ owner: org, repo: "nowhere" }), refused(404));

// Suspended: no token is good, and none is to be had.
await asApp.apps.suspendInstallation({ installation_id: installation.id });
const halted = await asApp.apps.getInstallation({ installation_id: installation.id });
assert.equal(halted.data.suspended_by.login, `${made.slug}[bot]`);
await assert.rejects(octokit.rest.apps.listReposAccessibleToInstallation(), refused(403));
await assert.rejects(octokit.auth({ type: "installation", refresh: true }), refused(403, "has been suspended"));
await hears("installation", "suspend");
await asApp.apps.unsuspendInstallation({ installation_id: installation.id });
await octokit.auth({ type: "installation", refresh: true });
await octokit.rest.apps.listReposAccessibleToInstallation();
await hears("installation", "unsuspend");

// The log of deliveries, and one sent again.
const deliveries = await app.octokit.paginate(asApp.apps.listWebhookDeliveries, { per_page: 1 });
const created = deliveries.find((one) => one.event === "installation" && one.action === "created");
const { data: delivery } = await asApp.apps.getWebhookDelivery({ delivery_id: created.id });
assert.equal(delivery.request.payload.installation.id, installation.id);
assert.equal(delivery.status_code, 204);
const before = heard.length;
assert.equal((await asApp.apps.redeliverWebhookDelivery({ delivery_id: created.id })).status, 202);
while (heard.length === before) await new Promise((go) => setTimeout(go, 20));
assert.equal(heard.at(-1).id, delivery.guid);
assert.ok(heard.every((one) => one.good));

// The end: a token is given back, the installation goes.
assert.ok((await octokit.rest.rateLimit.get()).data.resources.core.limit > 0);
assert.equal((await octokit.rest.apps.revokeInstallationAccessToken()).status, 204);
const spent = new quiet({ auth: token.token });
await asApp.apps.deleteInstallation({ installation_id: installation.id });
await assert.rejects(spent.rest.apps.listReposAccessibleToInstallation(), refused(401));
await assert.rejects(asApp.apps.getInstallation({ installation_id: installation.id }), refused(404));
await hears("installation", "deleted");
hook.close();
hook.closeAllConnections();
console.log(JSON.stringify({ repositories: repositories.length, deliveries: deliveries.length, heard: heard.length }));
