import { createHash } from "node:crypto";
import { isTree, type Tree } from "./layer.ts";

/** Keys whose values are never shown, whatever they hold. */
const SECRET_KEY =
  /^(?:authorization|proxy-authorization|cookie|set-cookie|x-api-key|api-?key|token|secret|password|key|credentials?)$/i;
const CREDENTIALS = /\/\/[^/@\s]+@/g;

/** A copy fit to be shown: secrets as `***` and a fingerprint that tells two apart, user names and passwords cut out of URLs. */
export function redact(settings: Tree): Tree {
  return Object.fromEntries(
    Object.entries(settings).map(([key, value]) => [key, shown(key, value)]),
  );
}

function shown(key: string, value: unknown): unknown {
  // Every header of a replica may be a key: none is shown.
  if (key === "headers" && isTree(value)) {
    return Object.fromEntries(Object.entries(value).map(([name, text]) => [name, masked(text)]));
  }
  if (SECRET_KEY.test(key) && typeof value === "string") return masked(value);
  if (Array.isArray(value)) return value.map((item: unknown) => shown("", item));
  if (isTree(value)) return redact(value);
  return typeof value === "string" ? value.replaceAll(CREDENTIALS, "//***@") : value;
}

function masked(value: unknown): string {
  // References name where a secret lies, not what it is.
  if (typeof value === "string" && /^(?:env|file):/.test(value)) return value;
  const print = createHash("sha256").update(String(value)).digest("hex").slice(0, 8);
  return `*** (sha256 ${print})`;
}
