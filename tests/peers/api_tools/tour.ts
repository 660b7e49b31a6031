// A stranger's program: types made from the description, a fetch that knows them, and the questions that people ask. What
// does not fit the description does not compile. Arguments: the server, a token, a repository's path, a key.
import createClient from "openapi-fetch";
import type { components, paths } from "./v1.js";

const [server, token, path, key] = process.argv.slice(2) as [string, string, string, string];
const api = createClient<paths>({ baseUrl: server, headers: { authorization: `Bearer ${token}` } });

type Behind = components["schemas"]["Behind"];

function must<T>(what: string, answer: { data?: T; error?: unknown; response: Response }): Exclude<T, Behind> {
  const { data } = answer;
  if (data === undefined || (typeof data === "object" && data !== null && "min_position" in data)) {
    throw new Error(`${what}: ${answer.response.status} ${JSON.stringify(data ?? answer.error)}`);
  }
  return data as Exclude<T, Behind>;
}

const added = must(
  "AddIntegration",
  await api.POST("/api/v1/integrations", {
    params: { header: { "Idempotency-Key": "typescript" } },
    body: { name: "shop", connection: { kind: "path", path } },
  }),
);

let repository: components["schemas"]["Repository"] | undefined;
for (let attempt = 0; attempt < 600 && repository?.state !== "indexed"; attempt++) {
  await new Promise((later) => setTimeout(later, 50));
  const list = await api.GET("/api/v1/integrations/{id}/repositories", { params: { path: { id: added.id } } });
  repository = must("ListIntegrationRepositories", list).items[0];
}
if (repository === undefined || repository.state !== "indexed") throw new Error("it was not indexed");

const shas: string[] = [];
let cursor: string | undefined;
do {
  const query = { limit: 2, ...(cursor === undefined ? {} : { cursor }) };
  const page = must(
    "ListIssueCommits",
    await api.GET("/api/v1/issues/{key}/commits", { params: { path: { key }, query } }),
  );
  shas.push(...page.items.map((commit) => commit.sha));
  cursor = page.next ?? undefined;
} while (cursor !== undefined);

const refused = await api.GET("/api/v1/issues/{key}", { params: { path: { key: "nothing" } } });
const problem: components["schemas"]["Problem"] | undefined = refused.error;
console.log(JSON.stringify({ commits: shas, refused: problem?.code }));
