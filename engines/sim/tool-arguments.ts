import type { JsonValue } from "../engine.ts";
import { wordOf } from "./text.ts";

/** Nesting beyond this is answered with an empty object: no tool in the field goes this deep. */
const DEPTH_MAX = 6;

/** Longest list a model would fill in. */
const ITEMS_MAX = 16;

type Schema = Readonly<Record<string, unknown>>;

/** A value a JSON schema accepts, the same for the same key: what a model would fill in. */
export function valueOf(schema: unknown, key: number, depth = 0): JsonValue {
  const shape: Schema = typeof schema === "object" && schema !== null ? (schema as Schema) : {};
  if (shape["const"] !== undefined) return shape["const"] as JsonValue;
  const choices = shape["enum"];
  if (Array.isArray(choices) && choices.length > 0)
    return (choices[key % choices.length] ?? null) as JsonValue;
  const options = shape["anyOf"] ?? shape["oneOf"];
  if (Array.isArray(options)) return valueOf(options[0], key, depth);
  const type: unknown = Array.isArray(shape["type"]) ? shape["type"][0] : shape["type"];
  switch (type) {
    case "string":
      return wordOf(key, 0);
    case "integer":
    case "number":
      return numberWithin(shape, key);
    case "boolean":
      return key % 2 === 0;
    case "null":
      return null;
    case "array":
      return arrayOf(shape, key, depth);
    default:
      return objectOf(shape, key, depth);
  }
}

function numberWithin(shape: Schema, key: number): number {
  const low = typeof shape["minimum"] === "number" ? shape["minimum"] : 0;
  const high = typeof shape["maximum"] === "number" ? shape["maximum"] : low + 100;
  return Math.min(high, Math.ceil(low) + (key % Math.max(1, Math.floor(high - low) + 1)));
}

function arrayOf(shape: Schema, key: number, depth: number): JsonValue {
  if (depth >= DEPTH_MAX) return [];
  const wanted = typeof shape["minItems"] === "number" ? shape["minItems"] : 1;
  const items = Math.min(Math.max(1, wanted), ITEMS_MAX);
  return Array.from({ length: items }, (_, index) =>
    valueOf(shape["items"], key + index, depth + 1),
  );
}

function objectOf(shape: Schema, key: number, depth: number): JsonValue {
  const properties = shape["properties"];
  if (typeof properties !== "object" || properties === null || depth >= DEPTH_MAX) return {};
  return Object.fromEntries(
    Object.entries(properties).map(([name, inner], index) => [
      name,
      valueOf(inner, Math.imul(key + index + 1, 0x9e3779b1) >>> 1, depth + 1),
    ]),
  );
}
