// tokens.mjs DIR LEX_TOKENS: jose, which knows nothing but the key set, and what it makes. TAP lines.
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import * as jose from "jose";

const [folder, program] = process.argv.slice(2);
process.chdir(folder);
const read = (name) => readFileSync(name, "utf8");
let failed = false;
function say(good, name, why = "") {
  failed ||= !good;
  console.log(`${good ? "ok" : "not ok"} - ${name}`);
  if (!good && why) console.log(`# ${why}`);
}
const verify = (token, jwks, algorithm, more = {}) =>
  jose.jwtVerify(token, jose.createLocalJWKSet(JSON.parse(jwks)), {
    issuer: "example.com/samples", audience: "gateway", typ: "lexecon-cap+jwt", algorithms: [algorithm],
    requiredClaims: ["sub", "iat", "nbf", "exp", "jti", "req"], ...more });
const refuses = (...args) => verify(...args).then(() => false, () => true);

const request = JSON.parse(read("request.json"));
const token = read("token.jwt"), jwks = read("jwks.json");
for (const [algorithm, text, set] of [["EdDSA", token, jwks],
  ["Ed25519", read("token-ed25519.jwt"), read("jwks-ed25519.json")]]) {
  try {
    const { payload } = await verify(text, set, algorithm);
    say(true, `jose verifies a token with the key set alone (${algorithm})`);
    say(payload.sub === request.actor && payload.action === request.proposed_action &&
      payload.tool === request.tool && payload.resource === request.resource,
      `jose: it is leave for this call (${algorithm})`);
  } catch (problem) {
    say(false, `jose verifies a token with the key set alone (${algorithm})`, problem);
  }
}
for (const twin of ["bad-key.jwt", "bad-expired.jwt", "bad-early.jwt"])
  say(await refuses(read(twin), jwks, "EdDSA"), `jose refuses ${twin}`);
say(await refuses(token, jwks, "EdDSA", { audience: "another" }), "jose refuses another audience");
say(await refuses(token, jwks, "EdDSA", { typ: "lexecon-fact+jwt" }), "jose refuses another type");
const [head, , signature] = token.split(".");
const altered = jose.base64url.encode(JSON.stringify({ ...jose.decodeJwt(token), action: "write" }));
say(await refuses(`${head}.${altered}.${signature}`, jwks, "EdDSA"), "jose refuses altered claims");

const { publicKey, privateKey } = await jose.generateKeyPair("Ed25519", { extractable: true });
const jwk = await jose.exportJWK(publicKey);
writeFileSync("issuers-node.json", JSON.stringify({ issuers: [
  { iss: "node", keys: [{ kid: "node-1", jwk }], actors: ["*"], roles: ["*"] }] }));
const attest = (alg, kid) => new jose.SignJWT({ roles: ["actor:oncall"] })
  .setProtectedHeader({ alg, typ: "lexecon-identity+jwt", kid }).setIssuer("node")
  .setSubject(request.actor).setIssuedAt().setExpirationTime("2m").setJti("a-1").sign(privateKey);
const made = [await attest("EdDSA", "node-1"), await attest("Ed25519", "node-1"), await attest("EdDSA", "x")];
const done = spawnSync(program, ["check", "issuers-node.json", "request.json", "a/b/c/0"],
  { input: made.join("\n") + "\n", encoding: "utf8" });
const answers = done.stdout.split("\n");
say(answers[0] === "counts: identity 1, roles 1, facts 0, approvals 0", "an identity that jose signs counts",
  answers[0] + done.stderr);
say(answers[1] === "WRONG_ALGORITHM", "refused: the algorithm's other name", answers[1]);
say(answers[2] === "UNKNOWN_KEY", "refused: a kid that nobody pinned", answers[2]);
process.exit(failed ? 1 : 0);
