import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import type { Difference, SweepView } from "../../proxy/synthetic/sweep-view.ts";
import { StoreController } from "../controllers/store-controller.ts";
import "../elements/figure-value.ts";
import { age, duration, grouped, NOTHING, percent, significant } from "../format.ts";
import { ask } from "../state/api.ts";
import { sweepCurl } from "../state/sweep-curl.ts";
import { spoken } from "../state/sweep-curve.ts";
import { factStyles, panelStyles } from "../styles/panel.ts";
import { SWEEP_STATES } from "./sweep-list.ts";

/** How a sweep stands: the answer so far, the point under way, what the guards see, and the way to stop it. */
export class SweepStatus extends LitElement {
  static override properties = {
    view: { attribute: false },
    busy: { state: true },
    problem: { state: true },
  };
  static override styles = [
    panelStyles,
    factStyles,
    css`
      .headline {
        font-size: 16px;
        font-weight: 600;
        margin: 0 0 10px;
        max-width: 90ch;
      }
      progress {
        width: 100%;
        height: 8px;
        accent-color: var(--synthetic);
      }
      dl {
        grid-template-columns: repeat(auto-fill, minmax(220px, 1fr));
        margin-top: 10px;
      }
      dd {
        font-weight: 600;
      }
      ul {
        margin: 10px 0 0;
        padding-left: 18px;
        color: var(--warn);
        font-size: 13px;
      }
      .bad {
        color: var(--bad);
      }
      pre {
        font: 12px/1.5 var(--mono);
        background: var(--raised);
        border-radius: 8px;
        padding: 8px 10px;
        margin: 12px 0 0;
        white-space: pre-wrap;
        overflow-wrap: anywhere;
      }
    `,
  ];
  declare view: SweepView | null;
  declare busy: boolean;
  declare problem: string | null;
  readonly #live = new StoreController(this);

  constructor() {
    super();
    this.view = null;
    this.busy = false;
    this.problem = null;
  }

  protected override render(): TemplateResult | typeof nothing {
    const { view } = this;
    if (view === null) return nothing;
    const [glyph, color] = SWEEP_STATES[view.state];
    return html`<header>
        <h2 style="color: var(${color})" role="status">${glyph} ${view.state}</h2>
        <span class="hint">${view.because}</span>
        <span class="spring"></span>
        ${view.endedMs === null ? this.#stopButton(view) : nothing}
      </header>
      ${view.headline === null ? nothing : html`<p class="headline">${view.headline}</p>`}
      ${view.error === null ? nothing : html`<p class="bad" role="alert">${view.error}</p>`}
      ${this.problem === null ? nothing : html`<p class="bad" role="alert">${this.problem}</p>`}
      ${view.endedMs === null ? this.#progress(view) : nothing}
      <dl>
        ${[...runningFacts(view), ...guardFacts(view), ...resultFacts(view)].map(
          ([name, value, explains]) =>
            html`<div>
              <dt>${name}</dt>
              <dd><figure-value text=${value} explains=${explains}></figure-value></dd>
            </div>`,
        )}
      </dl>
      ${
        view.warnings.length === 0
          ? nothing
          : html`<ul>
              ${view.warnings.map((warning) => html`<li>${warning}</li>`)}
            </ul>`
      }
      <pre aria-label="Command that repeats it">
${
  // A fit is on no flag: the proxy's command is a request, too, but it knows no address of its own.
  view.request.fit === undefined ? view.command : sweepCurl(view.request)
}</pre>`;
  }

  #progress(view: SweepView): TemplateResult {
    const goneMs = Date.now() - view.startedMs;
    const left = view.remainingMs;
    const part = left === null ? null : goneMs / Math.max(1, goneMs + left);
    const said = `${age(goneMs)} gone, ${left === null ? "time left unknown" : `about ${age(left)} left`}`;
    return html`<progress max="1" aria-label="Progress of the sweep" .value=${part ?? 0}></progress>
      <span class="hint">${said}</span>`;
  }

  #stopButton(view: SweepView): TemplateResult | typeof nothing {
    if (!this.#live.store.mayWrite) return nothing;
    return html`<button
      ?disabled=${this.busy || view.state === "stopping"}
      @click=${() => void this.#stop(view.id)}
    >
      ${view.state === "stopping" ? "stopping…" : "stop sweep"}
    </button>`;
  }

  async #stop(id: string): Promise<void> {
    this.busy = true;
    this.problem = null;
    try {
      await ask(`/sweeps/${encodeURIComponent(id)}`, { method: "DELETE" });
    } catch (error) {
      this.problem = error instanceof Error ? error.message : String(error);
    } finally {
      this.busy = false;
    }
  }
}

type Fact = readonly [name: string, value: string, explains: string];

/** The point under way, and whether the generator keeps up: otherwise it, not the engine, is measured. */
function runningFacts({ progress, endedMs }: SweepView): readonly Fact[] {
  if (progress === null || endedMs !== null) return [];
  const { phase, elapsedMs, inFlight, ttftP50Ms, tpotP50Ms, outputTokensPerSecond } = progress;
  return [
    [
      "point",
      `${phase}, ${age(elapsedMs)}`,
      `Point ${progress.pointId}; ${progress.sent} sent, ${progress.measured} measured, ${progress.failed} failed.`,
    ],
    ["in flight", grouped(inFlight), "Synthetic requests under way."],
    ["TTFT p50", duration(ttftP50Ms), "Of the most recent synthetic answers of this point."],
    ["TPOT p50", duration(tpotP50Ms), "Of the most recent synthetic answers of this point."],
    [
      "output",
      `${significant(outputTokensPerSecond)} tok/s`,
      "Synthetic output tokens of this point.",
    ],
    [
      "send lag",
      duration(progress.sendLagMaxMs),
      "Longest time a request of this point went out later than planned.",
    ],
    [
      "generator CPU",
      percent(progress.cpuShare),
      "Of one core, the busiest thread of the load generator.",
    ],
  ];
}

function guardFacts({ guard, guards, endedMs }: SweepView): readonly Fact[] {
  if (guard === null || guards === null || endedMs !== null) return [];
  return [
    [
      "users' TTFT p95",
      `${duration(guard.ttftP95Ms)} of ${duration(guards.ttftP95Ms)}`,
      `Real requests on this replica over the last ${age(guard.windowMs)}, n = ${guard.n}; beyond the limit the sweep ends.`,
    ],
    [
      "burn rate",
      `${significant(guard.burnRate)} of ${significant(guards.burnRate)}`,
      "Of the promise that burns fastest; beyond the limit the sweep ends.",
    ],
    [
      "users in flight",
      `${grouped(guard.inFlight)} of ${grouped(guards.inFlight)}`,
      "Real requests under way on this replica; beyond the limit the sweep ends.",
    ],
    [
      "synthetic in flight",
      `${grouped(guard.synthetic)} of ${grouped(guard.syntheticMax)}`,
      "The share of the replica a sweep beside users may take.",
    ],
  ];
}

/** What was found: capacity by objective, and what the proxy itself adds. */
function resultFacts({ capacities, difference, requests, tokens }: SweepView): readonly Fact[] {
  return [
    ...capacities.map(({ shape, objective, sentence }): Fact => [
      `${shape}, ${spoken(objective)}`,
      sentence,
      "Highest rate one replica holds with this objective: between the highest shown to pass and the lowest shown to fail.",
    ]),
    ...(difference === null
      ? []
      : [
          differenceFact("proxy adds to TTFT", difference.ttftMs),
          differenceFact("proxy adds to TPOT", difference.tpotMs),
        ]),
    ["requests", grouped(requests), "Synthetic requests that ended."],
    ["tokens", grouped(tokens), "Input and output tokens of all synthetic requests."],
  ];
}

function differenceFact(name: string, difference: Difference | null): Fact {
  const explains =
    "Routed minus direct at light load, within pairs sent at the same time: the median and its 95 % interval.";
  if (difference === null) return [name, NOTHING, `${explains} Too few pairs so far.`];
  const { median, low, high, pairs } = difference;
  return [
    name,
    duration(median),
    `${explains} ${duration(low)} to ${high === null ? "unbounded" : duration(high)}, ${pairs} pairs.`,
  ];
}

customElements.define("sweep-status", SweepStatus);
