import type { z } from "zod";
import { ConfigError, type ConfigProblem } from "./config-error.ts";
import { envLayer } from "./env-layer.ts";
import { fileLayer } from "./file-layer.ts";
import { isTree, type Layer, overlay, type Tree, valueAt, whereOf } from "./layer.ts";
import { type Settings, settingsSchema } from "./schema.ts";

/** Where settings come from, weakest first: defaults, file, environment, flags. */
export interface SettingsSources {
  readonly file: string | null;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Settings given on the command line, as a tree in the schema's names. */
  readonly flags: Tree;
}

/**
 * Reads and checks the settings.
 * @throws {ConfigError} naming every problem with its place.
 */
export function loadSettings({ file, environment, flags }: SettingsSources): Settings {
  const layers = [
    ...(file === null ? [] : [fileLayer(file)]),
    envLayer(environment),
    flagLayer(flags),
  ];
  return checkSettings(layers);
}

/** Checks layers against the schema. @throws {ConfigError} */
export function checkSettings(layers: readonly Layer[]): Settings {
  const raw = overlay(layers);
  const result = settingsSchema.safeParse(raw);
  if (result.success) return freeze(result.data);
  throw new ConfigError(result.error.issues.flatMap((issue) => problemsOf(issue, layers, raw)));
}

/** Flags whose names are not their section's. */
const FLAGS: Readonly<Record<string, string>> = { replicas: "--replica", routing: "--policy" };

function flagLayer(value: Tree): Layer {
  return {
    value,
    where: ([section]) => FLAGS[String(section)] ?? `--${String(section ?? "config")}`,
  };
}

function problemsOf(issue: z.core.$ZodIssue, layers: readonly Layer[], raw: Tree): ConfigProblem[] {
  const { path } = issue;
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({
      where: whereOf(layers, [...path, key]),
      message: `${nameOf([...path, key])} is not a setting: check the spelling, or see \`pitot config schema\`.`,
    }));
  }
  if (issue.code === "invalid_union") {
    // The form that was meant is the one whose kind of value was given.
    const meant = issue.errors.find(
      (branch) => !branch.some((inner) => inner.code === "invalid_type" && inner.path.length === 0),
    );
    return (meant ?? issue.errors.at(-1) ?? []).flatMap((inner) =>
      problemsOf({ ...inner, path: [...path, ...inner.path] }, layers, raw),
    );
  }
  const value = valueAt(raw, path);
  const shown = isTree(value) || Array.isArray(value) ? "" : ` (${show(value)})`;
  return [
    {
      where: whereOf(layers, path),
      message: `${nameOf(path)}${shown} ${wishOf(issue)}.`,
    },
  ];
}

function nameOf(path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (name, key) =>
      typeof key === "number"
        ? `${name}[${key}]`
        : name === ""
          ? String(key)
          : `${name}.${String(key)}`,
    "",
  );
}

function show(value: unknown): string {
  return value === undefined ? "not set" : JSON.stringify(value).slice(0, 80);
}

/** What the schema wants instead, to follow a field and its value. */
function wishOf(issue: z.core.$ZodIssue): string {
  if (issue.code === "invalid_type")
    return `must be ${/^[aeiou]/.test(issue.expected) ? "an" : "a"} ${issue.expected}`;
  if (issue.code === "too_small")
    return `must be ${issue.inclusive === false ? "more than" : "at least"} ${issue.minimum}${unitOf(issue.origin)}`;
  if (issue.code === "too_big")
    return `must be ${issue.inclusive === false ? "less than" : "at most"} ${issue.maximum}${unitOf(issue.origin)}`;
  if (issue.code === "invalid_value")
    return `must be one of ${issue.values.map(String).join(", ")}`;
  return `is not right: ${issue.message.replace(/[.!]$/, "")}`;
}

function unitOf(origin: string): string {
  return origin === "string" ? " characters long" : origin === "array" ? " entries long" : "";
}

function freeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const part of Object.values(value)) freeze(part);
  }
  return value;
}
