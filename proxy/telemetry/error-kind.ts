/**
 * Why requests fail or break off, in the few kinds an operator tells apart. A closed set, whatever codes there are and
 * whatever engines answer, so that it can be counted for every replica in every second.
 */
export const errorKinds = ["connect", "timeout", "engine", "cut", "unavailable", "other"] as const;

export type ErrorKind = (typeof errorKinds)[number];

const KIND_OF: ReadonlyMap<string, ErrorKind> = new Map([
  ["upstream_connect_failed", "connect"],
  ["first_token_timeout", "timeout"],
  ["upstream_stalled", "timeout"],
  ["deadline_exceeded", "timeout"],
  ["queue_timeout", "timeout"],
  ["upstream_cut", "cut"],
  ["no_replica_available", "unavailable"],
  ["overloaded", "unavailable"],
  ["draining", "unavailable"],
]);

/** The kind of an outcome's code. An engine's own 5xx is `upstream_status_<n>`. */
export function errorKind(code: string): ErrorKind {
  return code.startsWith("upstream_status_") ? "engine" : (KIND_OF.get(code) ?? "other");
}
