// Judges tokens that an app signed, with a library that knows nothing of GitHub, and by what GitHub demands of them
// (docs.github.com, "Generating a JSON Web Token (JWT) for a GitHub App"). Reads JSON from a file: the public key and,
// for each token, who must have issued it and when it arrived. Prints the claims of all.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { errors, importSPKI, jwtVerify } from "jose";

const { key, other, tokens } = JSON.parse(readFileSync(process.argv[2], "utf8"));
const [good, foreign] = [await importSPKI(key, "RS256"), await importSPKI(other, "RS256")];
const all = [];
for (const { token, issuer, at } of tokens) {
  const rules = {
    algorithms: ["RS256"],
    issuer,
    currentDate: new Date(at * 1000),
    clockTolerance: 0,
    requiredClaims: ["iss", "iat", "exp"],
  };
  const { payload, protectedHeader } = await jwtVerify(token, good, rules);
  assert.equal(protectedHeader.alg, "RS256");
  assert.deepEqual(Object.keys(payload).sort(), ["exp", "iat", "iss"]);
  // At most ten minutes from when it is looked at, with a minute each for clocks that are behind and ahead.
  assert.ok(payload.exp - payload.iat <= 600, "it lives for ten minutes at most");
  assert.ok(payload.iat <= at - 60, "it is a minute old when it is made");
  assert.ok(payload.exp <= at + 540, "it leaves a minute");
  await assert.rejects(jwtVerify(token, foreign, rules), errors.JWSSignatureVerificationFailed);
  await assert.rejects(jwtVerify(token, good, { ...rules, issuer: "1" }), errors.JWTClaimValidationFailed);
  const [head, body, signature] = token.split(".");
  const claims = Buffer.from(JSON.stringify({ ...payload, exp: payload.exp + 1 })).toString("base64url");
  await assert.rejects(jwtVerify([head, claims, signature].join("."), good, rules), errors.JWSSignatureVerificationFailed);
  all.push(JSON.parse(Buffer.from(body, "base64url").toString()));
}
console.log(JSON.stringify(all));
