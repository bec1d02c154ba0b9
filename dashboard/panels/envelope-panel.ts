import { html, LitElement, type TemplateResult } from "lit";
import type { SweepList, SweepView } from "../../proxy/synthetic/sweep-view.ts";
import { PlaceController } from "../controllers/place-controller.ts";
import { PollController } from "../controllers/poll-controller.ts";
import { StoreController } from "../controllers/store-controller.ts";
import type { DotSeries } from "../elements/xy-chart.ts";
import "../elements/xy-chart.ts";
import { duration, SAMPLES_FEW, significant } from "../format.ts";
import { boundsOf, latencySeries, shapesOf } from "../state/sweep-curve.ts";
import { panelStyles } from "../styles/panel.ts";

/** "Here" is the last minute of real traffic. */
const HERE_SECONDS = 60;
const LIST_MS = 10_000;
/** A finished sweep does not change; it is only asked about again in case it was the running one. */
const VIEW_MS = 60_000;

/** Where a replica's real traffic stands on the curve its own sweep measured: how far it is from what this engine can do. */
export class EnvelopePanel extends LitElement {
  static override properties = { replica: {} };
  static override styles = panelStyles;
  declare replica: string;
  readonly #live = new StoreController(this);
  readonly #at = new PlaceController(this);
  readonly #sweeps = new PollController<SweepList>(this, () => LIST_MS);
  readonly #sweep = new PollController<SweepView>(this, () => VIEW_MS);

  constructor() {
    super();
    this.replica = "";
  }

  protected override willUpdate(): void {
    this.#sweeps.ask("/sweeps");
    const { answer } = this.#sweeps;
    if (answer.kind !== "ready") return;
    const done = answer.value.sweeps.find(
      ({ replica, state, points }) => replica === this.replica && state === "done" && points > 0,
    );
    this.#sweep.ask(done === undefined ? null : `/sweeps/${encodeURIComponent(done.id)}`);
  }

  protected override render(): TemplateResult {
    const { answer } = this.#sweep;
    return html`<header>
        <h2>You are here</h2>
        <span class="hint">real traffic on this replica's own swept curve</span>
      </header>
      ${answer.kind === "ready" ? this.#curve(answer.value) : this.#without()}`;
  }

  #without(): TemplateResult {
    return html`<p class="hint" style="white-space: normal">
        No finished sweep of this replica yet: it would show how far it is from what its engine can
        do.
      </p>
      <button @click=${() => this.#at.place.go("sweeps", null, { replica: this.replica })}>
        sweep ${this.replica}…
      </button>`;
  }

  #curve(view: SweepView): TemplateResult {
    const shape = shapesOf(view).find(({ open }) => open.length > 0);
    if (shape === undefined)
      return html`<p class="hint" style="white-space: normal">
        Sweep ${view.id} held no rates, only levels: take the preset quick or longer.
      </p>`;
    const here = this.#here();
    const most = Math.max(...shape.open.map((point) => point.offeredRatePerSecond ?? 0));
    const rate = this.#rate();
    return html`<xy-chart
        label="TTFT over the rate at ${shape.shape} from sweep ${view.id}, with real traffic now at ${significant(rate)} requests a second"
        .series=${[...latencySeries(shape.open, "ttft"), here]}
        .bounds=${boundsOf(view.plan?.objectives ?? [], "ttft")}
        .xAxis=${{ label: "requests a second, this replica", scale: "linear" }}
        .yAxis=${{ label: "TTFT, ms", scale: "log" }}
      ></xy-chart>
      <p class="hint" style="white-space: normal">
        Curve: synthetic, ${shape.shape}, sweep ${view.id}. Dot: real, last ${HERE_SECONDS} s, p95;
        ${sayHere(here, rate, most)} Real requests of other lengths lie off the curve.
      </p>`;
  }

  /** Answers begun a second: what was started is not yet anybody's until it is routed. */
  #rate(): number {
    const { store } = this.#live;
    const seconds = store.ticks.slice(-HERE_SECONDS).length * (store.tickMs / 1000);
    const { count } = store.distribution("ttft", "real", HERE_SECONDS, this.replica);
    return count / Math.max(1, seconds);
  }

  #here(): DotSeries {
    const ttft = this.#live.store.distribution("ttft", "real", HERE_SECONDS, this.replica);
    const p95 = ttft.quantile(0.95);
    const rate = this.#rate();
    const few = ttft.count < SAMPLES_FEW;
    const title = `real, last ${HERE_SECONDS} s: ${significant(rate)} req/s, TTFT p95 ${duration(p95)}, n = ${ttft.count}${few ? ", few samples" : ""}`;
    const dots = p95 === null ? [] : [{ x: rate, y: p95, hollow: few, title }];
    return { name: "real, now", color: "--real", joined: false, isHere: true, dots };
  }
}

function sayHere({ dots }: DotSeries, rate: number, most: number): string {
  if (dots.length === 0) return "no real request lately.";
  return `${significant(rate)} of up to ${significant(most)} req/s swept.`;
}

customElements.define("envelope-panel", EnvelopePanel);
