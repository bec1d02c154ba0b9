import type { Context } from "hono";

/** A refusal in the API's own shape: a code for programs, a sentence for people. */
export function refuse(
  context: Context,
  status: 400 | 404 | 409 | 413,
  code: string,
  message: string,
): Response {
  return context.json({ error: { code, message } }, status);
}

/** A query that cannot be answered; the message names the field, the value and what to do. */
export class QueryError extends Error {
  override readonly name = "QueryError";
}

/** Answers with what `read` gives; a query it cannot make sense of becomes a 400. */
export function answer(context: Context, read: () => object): Response {
  try {
    return context.json(read());
  } catch (error) {
    if (error instanceof QueryError) return refuse(context, 400, "invalid_query", error.message);
    throw error;
  }
}

/** One of a closed set, or the default when it is not asked. @throws {QueryError} */
export function oneOf<T extends string>(
  context: Context,
  field: string,
  values: readonly T[],
  otherwise: T,
): T {
  const given = context.req.query(field);
  if (given === undefined) return otherwise;
  const found = values.find((value) => value === given);
  if (found === undefined)
    throw new QueryError(`${field} "${given.slice(0, 100)}" is none of ${values.join(", ")}.`);
  return found;
}

/** A whole number within limits, or the default. @throws {QueryError} */
export function wholeNumber(
  context: Context,
  field: string,
  {
    min,
    max,
    otherwise,
  }: { readonly min: number; readonly max: number; readonly otherwise: number },
): number {
  const given = context.req.query(field);
  if (given === undefined) return otherwise;
  const value = Number(given);
  if (!Number.isInteger(value) || value < min || value > max)
    throw new QueryError(
      `${field} "${given.slice(0, 100)}" is not a whole number from ${min} to ${max}.`,
    );
  return value;
}

const UNITS_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** A length of time such as `90s`, `15m`, `6h` or `30d`, in ms, or the default. @throws {QueryError} */
export function duration(
  context: Context,
  field: string,
  { maxMs, otherwise }: { readonly maxMs: number; readonly otherwise: string },
): number {
  const given = context.req.query(field) ?? otherwise;
  const [, amount = "", unit = ""] = /^(\d{1,9})([smhd])$/.exec(given) ?? [];
  const ms = Number(amount) * (UNITS_MS[unit as keyof typeof UNITS_MS] ?? Number.NaN);
  if (!(ms > 0 && ms <= maxMs))
    throw new QueryError(
      `${field} "${given.slice(0, 100)}" is not a length of time such as 90s, 15m, 6h or 30d, up to ${maxMs / 86_400_000} days.`,
    );
  return ms;
}
