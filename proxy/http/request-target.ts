import { engines } from "../../engines/index.ts";

/** A request target, read once; what is decided on is what is forwarded. */
export type Target =
  | {
      readonly kind: "path";
      /** Path and query as they go to the engine: the client's bytes, less an authority. */
      readonly forward: string;
      /** The path as the strictest and the laxest engine would both read it: decoded, in lower case. Decisions only. */
      readonly path: string;
    }
  /** `*`: the server as a whole (RFC 9112 §3.2.4). */
  | { readonly kind: "server" }
  | { readonly kind: "odd"; readonly why: string };

const ABSOLUTE = /^https?:\/\/([^/?]*)(.*)$/i;
const SCHEME = /^[a-z][a-z0-9+.-]*:/i;
/** Visible ASCII without `#`: anything else must come percent-encoded (RFC 3986 §2, RFC 9112 §3.2). */
const TARGET_BYTES = /^[\x21\x22\x24-\x7e]+$/;
// Encoded controls end lines and strings in whoever decodes them.
// oxlint-disable-next-line no-control-regex
const CONTROLS = /[\x00-\x1f\x7f]/;

/** Reads a request target. */
export function readTarget(url: string): Target {
  if (url === "*") return { kind: "server" };
  if (!TARGET_BYTES.test(url))
    return odd("it holds bytes that must be percent-encoded, or a fragment");
  if (url.startsWith("/")) return readPath(url);
  const [, authority, rest = ""] = ABSOLUTE.exec(url) ?? [];
  if (authority === undefined) {
    return odd(SCHEME.test(url) ? "only http and https are served" : "it does not begin with /");
  }
  if (!isAuthority(authority)) return odd("its authority is not a host and a port");
  return readPath(rest.startsWith("/") ? rest : `/${rest}`);
}

function readPath(forward: string): Target {
  const end = forward.indexOf("?");
  const path = end === -1 ? forward : forward.slice(0, end);
  // The usual request: nothing in it that could be read in two ways.
  if (/^(?:\/[a-z0-9_-]+)+$/.test(path)) return { kind: "path", forward, path };
  const decoded = decode(path);
  if (decoded === null) return odd("its percent-encoding is broken");
  if (CONTROLS.test(decoded)) return odd("it holds an encoded control character");
  const plain = decoded
    .toLowerCase()
    .replaceAll("\\", "/")
    .replace(/;[^/]*/g, "");
  const segments = resolve(plain.split("/"));
  const canonical = `/${segments.map(withoutTail).join("/")}`;
  if (!canonical.startsWith("/v1/") || isControlPath(canonical))
    return { kind: "path", forward, path: canonical };
  if (/\\|\/\/|(?:^|\/)\.{1,2}(?:\/|$)/.test(decoded))
    return odd("it holds dot segments, backslashes or empty segments");
  return { kind: "path", forward, path: canonical };
}

/** Without dots and spaces at its end, which some file systems and servers leave out. */
function withoutTail(segment: string): string {
  let end = segment.length;
  while (end > 0 && (segment[end - 1] === "." || segment[end - 1] === " ")) end--;
  return segment.slice(0, end);
}

function decode(path: string): string | null {
  try {
    return decodeURIComponent(path);
  } catch {
    return null;
  }
}

/** Segments with `.` and `..` followed and empty ones left out. */
function resolve(segments: readonly string[]): string[] {
  const out: string[] = [];
  for (const segment of segments) {
    if (segment === "" || segment === ".") continue;
    if (segment === "..") out.pop();
    else out.push(segment);
  }
  return out;
}

/** Host and optional port as `Host` may carry them: no user, no path, no list (RFC 9110 §7.2). */
export function isAuthority(text: string): boolean {
  return /^(?:\[[0-9a-f:.]+\]|[a-z0-9._~!$&'()*+;=%-]+)(?::\d{0,5})?$/i.test(text);
}

const CONTROLLED: ReadonlySet<string> = new Set(
  Object.values(engines).flatMap(({ paths }) =>
    paths.control.flatMap((path) => [path, `/v1${path}`]),
  ),
);

/**
 * Whether a path steers an engine instead of asking it: of any dialect, so that a replica not yet recognised, or wrongly,
 * is as safe as the others.
 */
export function isControlPath(path: string): boolean {
  if (CONTROLLED.has(path)) return true;
  for (let end = path.indexOf("/", 1); end !== -1; end = path.indexOf("/", end + 1)) {
    if (CONTROLLED.has(path.slice(0, end))) return true;
  }
  return false;
}

function odd(why: string): Target {
  return { kind: "odd", why };
}
