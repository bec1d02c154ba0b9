import type { SloView } from "../slo/slo-view.ts";

/** What a webhook is told: an alert of one promise began or ended. */
export interface Notice {
  /** The same for the beginning and the end of one alert: receivers may group by it. */
  readonly key: string;
  readonly state: "firing" | "resolved";
  readonly severity: "page" | "ticket";
  readonly slo: SloView;
  readonly startedMs: number;
  readonly atMs: number;
}

/** A firing alert is told to Alertmanager again and again and ends by itself after this when we are gone. */
export const RESOLVES_AFTER_MS = 5 * 60_000;

/** One sentence for people. */
export function sentenceOf({ state, severity, slo }: Notice): string {
  const worst = slo.alerts
    .filter((alert) => alert.severity === severity)
    .toSorted((a, b) => (b.longRate ?? 0) / b.factor - (a.longRate ?? 0) / a.factor)[0];
  const burn = worst?.longRate?.toFixed(1) ?? "—";
  const left = slo.budgetRemaining === null ? "—" : `${(slo.budgetRemaining * 100).toFixed(0)} %`;
  return state === "firing"
    ? `${severity}: "${slo.sentence}" burns its budget ${burn} × too fast; ${left} left`
    : `resolved: "${slo.sentence}" keeps within its budget again; ${left} left`;
}

/** The body for a receiver of one's own. */
export function genericBody(notice: Notice): object {
  const { key, state, severity, slo, startedMs, atMs } = notice;
  return {
    version: 1,
    key,
    state,
    severity,
    message: sentenceOf(notice),
    startedAt: new Date(startedMs).toISOString(),
    at: new Date(atMs).toISOString(),
    slo: {
      name: slo.name,
      sentence: slo.sentence,
      objective: slo.options.objective,
      attainment: slo.attainment,
      budgetRemaining: slo.budgetRemaining,
      exhaustedInMs: slo.exhaustedInMs,
      burn: slo.burn,
    },
  };
}

/** An incoming webhook of Slack and of the many that take its shape (api.slack.com/messaging/webhooks). */
export function slackBody(notice: Notice): object {
  const mark = notice.state === "resolved" ? "✅" : notice.severity === "page" ? "🔥" : "🎫";
  // `&`, `<` and `>` steer Slack's markup (api.slack.com/reference/surfaces/formatting#escaping).
  const text = sentenceOf(notice)
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;");
  return { text: `${mark} ${text}` };
}

/** Alertmanager's API v2 (prometheus/alertmanager api/v2/openapi.yaml, `postableAlerts`). */
export function alertmanagerBody(notice: Notice): object {
  const { state, severity, slo, startedMs, atMs } = notice;
  const endsMs = state === "firing" ? atMs + RESOLVES_AFTER_MS : atMs;
  return [
    {
      labels: { alertname: "PitotErrorBudgetBurn", slo: slo.name, severity },
      annotations: { summary: sentenceOf(notice), description: slo.sentence },
      startsAt: new Date(startedMs).toISOString(),
      endsAt: new Date(endsMs).toISOString(),
    },
  ];
}
