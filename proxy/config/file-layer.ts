import { readFileSync } from "node:fs";
import { isNode, LineCounter, parseDocument, type Document } from "yaml";
import { ConfigError, type ConfigProblem } from "./config-error.ts";
import { isTree, type Layer } from "./layer.ts";

/** A configuration of a thousand replicas is far below this; anything larger is the wrong file. */
export const CONFIG_BYTES_MAX = 1_048_576;
/** A few aliases are handy, thousands are the billion-laughs attack. */
const ALIASES_MAX = 100;

/**
 * Reads a YAML (or JSON) configuration file.
 * @throws {ConfigError} when it cannot be read or parsed, with line and column.
 */
export function fileLayer(path: string): Layer {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    const why =
      code === "ENOENT"
        ? "there is no such file: check the path, or leave --config out."
        : `the file cannot be read (${code || String(error)}).`;
    throw new ConfigError([{ where: path, message: why }]);
  }
  return parseLayer(path, text);
}

/**
 * The layer in a configuration's text; `path` is only for messages.
 * @throws {ConfigError} when it is too large, no YAML, or no mapping.
 */
export function parseLayer(path: string, text: string): Layer {
  if (text.length > CONFIG_BYTES_MAX) {
    throw new ConfigError([
      {
        where: path,
        message: `is larger than ${CONFIG_BYTES_MAX / 1024} KiB: is it the right file?`,
      },
    ]);
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, merge: true });
  const problems = document.errors.map((error): ConfigProblem => {
    const { line, col } = lines.linePos(error.pos[0]);
    return { where: `${path}:${line}:${col}`, message: `not valid YAML: ${error.message}.` };
  });
  if (problems.length > 0) throw new ConfigError(problems);
  const value = toPlain(path, document);
  return {
    value,
    where(at) {
      const position = positionOf(document, at);
      if (position === null) return path;
      const { line, col } = lines.linePos(position);
      return `${path}:${line}:${col}`;
    },
  };
}

function toPlain(path: string, document: Document): Layer["value"] {
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: ALIASES_MAX });
  } catch (error) {
    throw new ConfigError([{ where: path, message: `${(error as Error).message}.` }]);
  }
  if (value === null || value === undefined) return {};
  if (!isTree(value)) {
    throw new ConfigError([
      {
        where: `${path}:1:1`,
        message: "must be a mapping of sections, such as `listen: 0.0.0.0:8080`.",
      },
    ]);
  }
  return value;
}

/** Offset of the node at `at`, or of the nearest one above it that has a position. */
function positionOf(document: Document, at: readonly PropertyKey[]): number | null {
  for (let length = at.length; length > 0; length--) {
    const node: unknown = document.getIn(at.slice(0, length), true);
    if (isNode(node) && node.range !== null && node.range !== undefined) return node.range[0];
  }
  return null;
}
