import { InvalidArgumentError } from "commander";

const UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
};

/** A flag's parser for a duration with its unit: `500ms`, `30s`, `10m`, `1.5h`. Gives ms. */
export function durationFlag(text: string): number {
  const [, number, unit = ""] = /^(\d+(?:\.\d+)?)\s*([a-z]+)$/.exec(text.trim()) ?? [];
  const factor = UNITS_MS[unit];
  if (number !== undefined && factor !== undefined && Number(number) > 0)
    return Number(number) * factor;
  throw new InvalidArgumentError(`"${text}" is not a duration: write it as 30s, 10m or 1h.`);
}
