import { parse } from "yaml";
import type { Layer, Tree } from "./layer.ts";

/** Variables of ours that are not settings: secrets of commands, and where the file is. */
const RESERVED = new Set(["PITOT_ADMIN_TOKEN", "PITOT_API_KEY", "PITOT_CONFIG"]);
const PREFIX = "PITOT_";

/**
 * Settings from the environment: `PITOT_TIMEOUTS__FIRST_TOKEN_MS=60000` is `timeouts.firstTokenMs`. Two underscores step
 * into a section, one starts a new word. Values are read as YAML, so `[a, b]` is a list.
 */
export function envLayer(environment: Readonly<Record<string, string | undefined>>): Layer {
  const value: Record<string, unknown> = {};
  for (const [name, text] of Object.entries(environment)) {
    if (!name.startsWith(PREFIX) || RESERVED.has(name) || text === undefined) continue;
    place(value, pathOf(name), scalar(text));
  }
  return { value, where: (path) => `${PREFIX}${path.map((key) => snake(String(key))).join("__")}` };
}

function pathOf(name: string): string[] {
  return name.slice(PREFIX.length).split("__").map(camel);
}

function place(root: Record<string, unknown>, path: readonly string[], value: unknown): void {
  let at = root;
  for (const key of path.slice(0, -1)) {
    const below = Object.hasOwn(at, key) ? at[key] : undefined;
    const next: Record<string, unknown> =
      typeof below === "object" && below !== null ? (below as Record<string, unknown>) : {};
    at[key] = next;
    at = next;
  }
  const last = path.at(-1);
  if (last !== undefined) at[last] = value satisfies Tree[string];
}

function scalar(text: string): unknown {
  try {
    return parse(text);
  } catch {
    return text;
  }
}

function camel(word: string): string {
  return word.toLowerCase().replaceAll(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

function snake(word: string): string {
  return word.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
}
