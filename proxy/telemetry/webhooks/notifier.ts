import type { Random } from "../../../engines/random.ts";
import type { WebhookOptions } from "../options.ts";
import type { SloDesk } from "../slo/slo-desk.ts";
import type { AlertView } from "../slo/slo-view.ts";
import { Hook } from "./hook.ts";

/**
 * Tells receivers when an alert begins and ends. People get one alert a promise and severity, however many of its rules
 * agree: a page that two windows justify is one page.
 */
export class Notifier {
  readonly #hooks: readonly Hook[];
  /** Since when each alert fires. */
  readonly #firing = new Map<string, number>();

  constructor(
    webhooks: readonly WebhookOptions[],
    random: Random,
    onGivenUp: (message: string) => void,
  ) {
    this.#hooks = webhooks.map((options) => new Hook(options, random, onGivenUp));
  }

  get dropped(): number {
    return this.#hooks.reduce((sum, hook) => sum + hook.dropped, 0);
  }

  /** Promises were judged: offers what changed. */
  judged(desk: SloDesk, nowMs: number): void {
    if (this.#hooks.length === 0) return;
    for (const slo of desk.views()) {
      for (const severity of ["page", "ticket"] as const) {
        const key = `${slo.name}/${severity}`;
        const startedMs = this.#firing.get(key);
        const fires = slo.alerts.some((alert) => alert.firing && alert.severity === severity);
        if (fires === (startedMs !== undefined)) continue;
        if (fires) this.#firing.set(key, sinceOf(slo.alerts, severity) ?? nowMs);
        else this.#firing.delete(key);
        const state = fires ? "firing" : "resolved";
        const began = this.#firing.get(key) ?? startedMs ?? nowMs;
        for (const hook of this.#hooks)
          hook.offer({ key, state, severity, slo, startedMs: began, atMs: nowMs });
      }
    }
  }

  tick(nowMs: number): void {
    for (const hook of this.#hooks) hook.tick(nowMs);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#hooks.map((hook) => hook.stop()));
  }
}

/** When the first of its rules began to fire. */
function sinceOf(alerts: readonly AlertView[], severity: AlertView["severity"]): number | null {
  const since = alerts
    .filter((alert) => alert.firing && alert.severity === severity)
    .map((alert) => alert.sinceMs)
    .filter((ms) => ms !== null);
  return since.length === 0 ? null : Math.min(...since);
}
