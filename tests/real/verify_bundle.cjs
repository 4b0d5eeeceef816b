// What @sigstore/verify makes of a bundle. Arguments: trusted root, bundle, artifact or "-", and either
// `key` FILE or `identity` NAME ISSUER; then how many log entries and how many times it must have.
const fs = require("fs");
const crypto = require("crypto");
const { bundleFromJSON } = require("@sigstore/bundle");
const { TrustedRoot } = require("@sigstore/protobuf-specs");
const { toSignedEntity, toTrustMaterial, Verifier } = require("@sigstore/verify");

const [root, bundle, artifact, kind, ...asked] = process.argv.slice(2);
const json = (file) => JSON.parse(fs.readFileSync(file, "utf8"));
const key = kind === "key" && crypto.createPublicKey(fs.readFileSync(asked.shift()));
const policy = kind === "identity" ? { subjectAlternativeName: asked.shift(), extensions: { issuer: asked.shift() } } : undefined;
const [entries, times] = asked.map(Number);
const material = toTrustMaterial(
  TrustedRoot.fromJSON(json(root)),
  key ? () => ({ publicKey: key, validFor: () => true }) : undefined,
);
const options = { tlogThreshold: entries, timestampThreshold: times, ctlogThreshold: key ? 0 : 1 };
const content = artifact === "-" ? undefined : fs.readFileSync(artifact);
try {
  new Verifier(material, options).verify(toSignedEntity(bundleFromJSON(json(bundle)), content), policy);
  console.log("verified");
} catch (error) {
  console.log(`refused: ${error.code} ${error.message}`);
  process.exitCode = 1;
}
