// What a GitHub says of an app, asked by GitHub's own client. Prints JSON: the app, its installation in an organisation,
// and every repository that it sees: `null` where it is suspended, for then nobody is told.
import { readFileSync } from "node:fs";
import { App, Octokit } from "octokit";

const [baseUrl, id, keyFile, org] = process.argv.slice(2);
const app = new App({ appId: Number(id), privateKey: readFileSync(keyFile, "utf8"), Octokit: Octokit.defaults({ baseUrl }) });
const { data: about } = await app.octokit.rest.apps.getAuthenticated();
const { data: installation } = await app.octokit.rest.apps.getOrgInstallation({ org });
const seen = installation.suspended_at ? null : [];
if (seen) for await (const { repository } of app.eachRepository.iterator({ installationId: installation.id })) seen.push(repository);
console.log(
  JSON.stringify({
    app: { id: about.id, name: about.name, url: about.html_url },
    installation: {
      id: installation.id,
      account: installation.account,
      suspended_at: installation.suspended_at,
      repositories: installation.repository_selection,
      permissions: installation.permissions,
    },
    repositories: seen?.map((one) => ({ id: one.id, name: one.full_name, archived: one.archived })) ?? null,
  }),
);
