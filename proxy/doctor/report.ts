import type { Examination } from "./examination.ts";

/** Column in which what was found begins. */
const LABEL_CHARS = 13;
const NONE = "—";

/** One examination for people: a line per subject, then what is wrong and what could be better. */
export function report(found: Examination): string {
  const rows: (readonly [string, string])[] = [];
  if (found.engine !== null) {
    const version = found.version ?? "version unknown";
    rows.push(["engine", `${found.engine} ${version} (${found.because})`]);
  }
  if (found.models.length > 0) rows.push(["models", found.models.join(", ")]);
  if (found.state === "ok") {
    rows.push(["limits", limits(found)], ["tokens", tokens(found)], ["answers", answers(found)]);
    rows.push(["statistics", statistics(found)]);
  }
  if (found.connection !== null)
    rows.push(["connection", connection(found)], ["keep-alive", keepAlive(found)]);
  if (found.connection !== null) rows.push(["clock", clock(found)]);
  if (found.tls !== null) rows.push(["tls", tls(found)]);
  if (found.problem !== null) rows.push(["problem", found.problem]);
  for (const sentence of found.advice) rows.push(["advice", sentence]);
  if (found.state === "ok" && found.advice.length === 0) rows.push(["advice", "none: all is well"]);
  const lines = rows.map(([label, text]) => `  ${label.padEnd(LABEL_CHARS)}${text}`);
  return `${[found.url, ...lines].join("\n")}\n`;
}

function limits({ limits }: Examination): string {
  const { sequenceTokensMax, sequencesMax, kvCacheTokens } = limits;
  return [
    `${count(sequenceTokensMax)} tokens a sequence`,
    `${count(sequencesMax)} sequences at once`,
    `${count(kvCacheTokens)} tokens of KV cache`,
  ].join(" · ");
}

/** How well tokens can be counted. */
function tokens({ tokens }: Examination): string {
  if (tokens === null) return `${NONE} (not asked)`;
  const { countedBy, outputTokens, outputEvents, cachedInputTokens, inputTokens } = tokens;
  const cached =
    cachedInputTokens === null
      ? "cached tokens not told"
      : `cached tokens told (${cachedInputTokens} of ${count(inputTokens)} the second time)`;
  return [
    countedBy === "usage" ? "counted by the engine's usage" : `counted by ${countedBy}`,
    cached,
    `${count(outputTokens)} tokens in ${outputEvents} events`,
  ].join(" · ");
}

function answers({ tokens }: Examination): string {
  if (tokens === null) return `${NONE} (not asked)`;
  const { ttftMs, tpotMs, inputTokens, outputTokens, route } = tokens;
  const shape = `${count(inputTokens)} + ${count(outputTokens)} tokens by ${route}`;
  return `first token after ${ms(ttftMs)}, then ${ms(tpotMs)} a token (better of 2 requests of ${shape})`;
}

function statistics({ metrics }: Examination): string {
  if (metrics === null) return "none known for this server";
  if (metrics.isReadable) return `${metrics.path} read`;
  const what = metrics.status === null ? "does not answer" : `answers ${metrics.status}`;
  return `${metrics.path} ${what}`;
}

function connection({ connection }: Examination): string {
  if (connection === null) return NONE;
  const { connectMs, ttfbP50Ms, samples, isReused } = connection;
  const reuse = isReused ? "one connection for all" : "a new connection each";
  return `opened in ${ms(connectMs)} · GET ${ms(ttfbP50Ms)} (p50 of ${samples}) · ${reuse}`;
}

function keepAlive({ connection }: Examination): string {
  if (connection === null) return NONE;
  const { advertisedIdleMs, closedAfterMs, watchedMs } = connection;
  const told = advertisedIdleMs === null ? "tells no limit" : `tells ${advertisedIdleMs / 1000} s`;
  const seen =
    closedAfterMs === null
      ? `still open after ${(watchedMs / 1000).toFixed(1)} s of silence`
      : `closed after ${(closedAfterMs / 1000).toFixed(1)} s of silence`;
  return `${told} · ${seen}`;
}

function clock({ clock }: Examination): string {
  if (clock === null) return `${NONE} (it sends no Date)`;
  const { aheadMs, toleranceMs } = clock;
  const seconds = `${aheadMs < 0 ? "−" : "+"}${(Math.abs(aheadMs) / 1000).toFixed(1)} s`;
  const isWithin = Math.abs(aheadMs) <= toleranceMs;
  const tolerance = `± ${(toleranceMs / 1000).toFixed(1)} s, by its Date`;
  return isWithin ? `agrees with ours (${tolerance})` : `${seconds} against ours (${tolerance})`;
}

function tls({ tls }: Examination): string {
  if (tls === null) return NONE;
  const { protocol, cipher, subject, issuer, validTo, daysLeft, isTrusted } = tls;
  const trust = isTrusted ? "trusted" : "not checked";
  return `${protocol} ${cipher} · ${subject}, issued by ${issuer}, ${trust} · until ${validTo.slice(0, 10)} (${daysLeft} days)`;
}

function count(value: number | null): string {
  return value === null ? NONE : value.toLocaleString("en-GB").replaceAll(",", " ");
}

function ms(value: number | null): string {
  return value === null ? NONE : `${value.toFixed(1)} ms`;
}
