import { html, LitElement, nothing, type TemplateResult } from "lit";
import type { SweepList, SweepView } from "../../proxy/synthetic/sweep-view.ts";
import { PlaceController } from "../controllers/place-controller.ts";
import { type Growing, PollController } from "../controllers/poll-controller.ts";
import "../panels/sweep-charts.ts";
import "../panels/sweep-form.ts";
import "../panels/sweep-list.ts";
import "../panels/sweep-points.ts";
import "../panels/sweep-status.ts";
import { emptyStyles } from "./empty.ts";
import { pageStyles } from "./page.ts";

/** A running sweep says something new each second; one that ended does not. */
const RUNNING_MS = 1_000;
const ENDED_MS = 30_000;
const LIST_MS = 2_000;

/** The points of a long sweep are megabytes: only those after the last but one are asked for again. */
const finishedPoints: Growing<SweepView> = {
  since: ({ finished }) => `?after=${known(finished)}`,
  join: ({ finished }, later) => ({
    ...later,
    finished: [...finished.slice(0, known(finished)), ...later.finished].slice(0, later.points),
  }),
};

/** What the proxy adds to a point is told a moment after it: the last is asked for once more. */
function known(finished: SweepView["finished"]): number {
  return Math.max(0, finished.length - 1);
}

/** Sweeps of this fleet's replicas: ask for one, watch it, read what it found. */
export class SweepsPage extends LitElement {
  static override properties = { sweep: {} };
  static override styles = [pageStyles, emptyStyles];
  declare sweep: string | null;
  readonly #at = new PlaceController(this);
  readonly #sweeps = new PollController<SweepList>(this, () => LIST_MS);
  readonly #view = new PollController<SweepView>(
    this,
    (answer) => (answer.kind === "ready" && answer.value.endedMs !== null ? ENDED_MS : RUNNING_MS),
    () => false,
    finishedPoints,
  );

  constructor() {
    super();
    this.sweep = null;
  }

  protected override willUpdate(): void {
    this.#sweeps.ask(this.sweep === null ? "/sweeps" : null);
    this.#view.ask(this.sweep === null ? null : `/sweeps/${encodeURIComponent(this.sweep)}`);
  }

  protected override render(): TemplateResult {
    return this.sweep === null ? this.#list() : this.#one(this.sweep);
  }

  #list(): TemplateResult {
    const { answer } = this.#sweeps;
    return html`<div class="head"><h1>Sweeps</h1></div>
      <sweep-form class="all"></sweep-form>
      ${answer.kind === "error" ? html`<p class="all" role="alert">${answer.message}</p>` : nothing}
      ${
        answer.kind === "ready" && answer.value.sweeps.length > 0
          ? html`<sweep-list class="all" .sweeps=${answer.value.sweeps}></sweep-list>`
          : html`<section class="empty">
              <h2>No sweep has run here yet</h2>
              <p>
                A sweep measures one replica from one request at a time to a flood, through the same
                meter as real traffic. Start one above, or from a terminal:
              </p>
              <pre tabindex="0">
pitot sweep http://127.0.0.1:8000 --preset quick --shape 1024x128</pre>
            </section>`
      }`;
  }

  #one(id: string): TemplateResult {
    const { answer } = this.#view;
    const back = html`<a
      href=${this.#at.place.href("sweeps")}
      style="color: var(--accent)"
      @click=${(event: MouseEvent) => {
        this.#at.place.follow(event, "sweeps");
      }}
      >Sweeps</a
    >`;
    const head = html`<div class="head">
      <h1>${back} / ${answer.kind === "ready" ? answer.value.replica : id}</h1>
      <p>${answer.kind === "ready" ? aboutOf(answer.value) : ""}</p>
    </div>`;
    if (answer.kind === "loading")
      return html`${head}
        <p class="all" role="status">Loading…</p>`;
    if (answer.kind === "error")
      return html`${head}
        <p class="all" role="alert">${answer.message}</p>`;
    const view = answer.value;
    return html`${head} <sweep-status class="all" .view=${view}></sweep-status>
      <sweep-charts class="all" .view=${view}></sweep-charts>
      <sweep-points class="all" .points=${view.finished}></sweep-points>`;
  }
}

function aboutOf({ model, shapes, preset, path, traffic, id }: SweepView): string {
  return `${model} · ${shapes.join(", ")} · ${preset} · ${path === "both" ? "both paths" : path} · ${traffic} · ${id}`;
}

customElements.define("sweeps-page", SweepsPage);
