/** A replica is left alone at most this long on its own word: a wrong clock must not lose it for a day. */
export const RETRY_AFTER_MS_MAX = 60_000;

/**
 * Ms until a replica wants to be asked again, from `Retry-After` (RFC 9110 §10.2.3: seconds or an HTTP date), clamped.
 * `null` for a value that is missing, negative, past or no time at all.
 */
export function retryAfterMs(value: string | undefined, nowMs: number): number | null {
  const text = value?.trim() ?? "";
  // Date.parse takes "-5" for a month: only what begins like a weekday is a date.
  const isDate = /^[A-Z][a-z]{2}/.test(text);
  const waitMs = /^\d+$/.test(text)
    ? Number(text) * 1000
    : isDate
      ? Date.parse(text) - nowMs
      : Number.NaN;
  return waitMs > 0 ? Math.min(waitMs, RETRY_AFTER_MS_MAX) : null;
}
