import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import type { OutcomeKind } from "../../engines/exchange.ts";
import type { Goodput, TrafficCell } from "../../proxy/live/frames.ts";
import type { OutcomesAnswer } from "../../proxy/telemetry/outcomes.ts";
import { PlaceController } from "../controllers/place-controller.ts";
import { PollController } from "../controllers/poll-controller.ts";
import { StoreController } from "../controllers/store-controller.ts";
import { grouped, limit, percent } from "../format.ts";
import { figuresTable } from "../elements/figures-table.ts";
import "../elements/panel-tools.ts";
import { type ChartWindow, chartWindow, ticksIn } from "../state/chart-window.ts";
import { addErrors, errorsByKind, sayErrors } from "../state/error-words.ts";
import type { Figures } from "../state/figures.ts";
import { historyPaceMs, historySpan } from "../state/history.ts";
import { panelStyles, tableStyles } from "../styles/panel.ts";

/** How the requests of a window ended, wherever that is known from. */
type Outcomes = Pick<OutcomesAnswer, "ended" | "completed" | "errors">;

const FAILED = "failed or cut";

interface Part {
  readonly name: string;
  readonly color: string;
  readonly of: (outcomes: Outcomes) => number;
}

const PARTS: readonly Part[] = [
  { name: "good", color: "--good", of: ({ completed }) => completed.good },
  { name: "first token too slow", color: "--warn", of: ({ completed }) => completed.slowTtft },
  { name: "tokens too slow", color: "--slow-tokens", of: ({ completed }) => completed.slowTpot },
  { name: "both too slow", color: "--slow-both", of: ({ completed }) => completed.slowBoth },
  {
    name: FAILED,
    color: "--bad",
    of: ({ ended }) => (ended.failed ?? 0) + (ended.cut ?? 0),
  },
  { name: "cancelled by the client", color: "--faint", of: ({ ended }) => ended.cancelled ?? 0 },
];

/** Every request of the window by the promise it broke: one bar says which promise breaks. */
export class GoodputBar extends LitElement {
  static override properties = { asTable: { state: true } };
  static override styles = [
    panelStyles,
    tableStyles,
    css`
      .bar {
        display: flex;
        height: 22px;
        border-radius: 6px;
        overflow: hidden;
        background: var(--raised);
        gap: 1px;
      }
      .bar i {
        min-width: 2px;
      }
      ul {
        display: flex;
        flex-wrap: wrap;
        gap: 4px 18px;
        list-style: none;
        padding: 0;
        margin: 8px 0 0;
        font-size: 12.5px;
        color: var(--soft);
      }
      li i {
        display: inline-block;
        width: 10px;
        height: 10px;
        border-radius: 3px;
        margin-right: 6px;
      }
      b {
        color: var(--text);
      }
    `,
  ];
  declare asTable: boolean;
  readonly #live = new StoreController(this);
  readonly #at = new PlaceController(this);
  readonly #history = new PollController<OutcomesAnswer>(
    this,
    (answer) => historyPaceMs(answer, chartWindow(this.#at.place, this.#live.store)),
    () => this.#live.store.pausedAtMs !== null,
  );

  constructor() {
    super();
    this.asTable = false;
  }

  protected override willUpdate(): void {
    const shown = chartWindow(this.#at.place, this.#live.store);
    this.#history.ask(shown.source === "history" ? `/outcomes?${historySpan(shown)}` : null);
  }

  protected override render(): TemplateResult {
    const { store } = this.#live;
    const shown = chartWindow(this.#at.place, store);
    const outcomes = this.#outcomes(shown);
    const counts = PARTS.map(({ of }) => of(outcomes));
    const total = counts.reduce((sum, count) => sum + count, 0);
    const { ttftMs, tpotMs } = store.goodput;
    const targets = `good: first token ≤ ${limit(ttftMs)} and TPOT ≤ ${limit(tpotMs)}`;
    const window = shown.words;
    const words = PARTS.map(({ name }, at) => `${name} ${percent(share(counts[at], total))}`);
    const figures = (): Figures => figuresOf(counts, outcomes);
    return html`<header>
        <h2>Goodput</h2>
        <span class="hint">${targets} · ${window}, n = ${grouped(total)}</span>
        <span class="spring"></span>
        <panel-tools
          .figures=${figures}
          .table=${this.asTable}
          @table=${() => (this.asTable = !this.asTable)}
        ></panel-tools>
      </header>
      ${this.#trouble(shown)}
      ${this.asTable ? figuresTable(figures()) : bar(counts, { total, window, words, errors: sayErrors(outcomes.errors) })}`;
  }

  /** Out of frames up to a quarter of an hour, older ones out of the proxy's windows. */
  #outcomes(shown: ChartWindow): Outcomes {
    const { answer } = this.#history;
    if (shown.source === "history") return answer.kind === "ready" ? answer.value : NONE;
    return sumOf(ticksIn(shown, this.#live.store).map((tick) => tick.real));
  }

  #trouble({ source }: ChartWindow): TemplateResult | typeof nothing {
    const { answer } = this.#history;
    if (source === "frames" || answer.kind === "ready") return nothing;
    return html`<p class="hint" role="status">
      ${answer.kind === "loading" ? "Loading history…" : answer.message}
    </p>`;
  }
}

function bar(
  counts: readonly number[],
  {
    total,
    window,
    words,
    errors,
  }: { total: number; window: string; words: readonly string[]; errors: string },
): TemplateResult {
  return html`<div
      class="bar"
      role="img"
      aria-label="Requests over ${window}: ${total === 0 ? "none" : words.join(", ")}"
    >
      ${PARTS.map(({ color, name }, at) => {
        const count = counts[at] ?? 0;
        return count === 0
          ? nothing
          : html`<i
              title="${name}: ${count}"
              style="flex: ${count}; background: var(${color})"
            ></i>`;
      })}
    </div>
    <ul>
      ${PARTS.map(
        ({ name, color }, at) =>
          html`<li>
            <i style="background: var(${color})"></i>${name}
            <b>${percent(share(counts[at], total))}</b>
            (${grouped(counts[at] ?? 0)}${name === FAILED && errors !== "" ? `: ${errors}` : ""})
          </li>`,
      )}
    </ul>`;
}

const NONE: Outcomes = {
  ended: {},
  completed: { good: 0, slowTtft: 0, slowTpot: 0, slowBoth: 0 },
  errors: {},
};

function sumOf(cells: readonly TrafficCell[]): Outcomes {
  const ended: Partial<Record<OutcomeKind, number>> = {};
  const completed = { good: 0, slowTtft: 0, slowTpot: 0, slowBoth: 0 };
  const errors = {};
  for (const cell of cells) {
    for (const [kind, count] of Object.entries(cell.ended) as [OutcomeKind, number][])
      ended[kind] = (ended[kind] ?? 0) + count;
    for (const [verdict, count] of Object.entries(cell.goodput ?? {}) as [keyof Goodput, number][])
      completed[verdict] += count;
    addErrors(errors, cell.errors ?? {});
  }
  return { ended, completed, errors };
}

function figuresOf(counts: readonly number[], { errors }: Outcomes): Figures {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const kinds = errorsByKind(errors).map(
    ([words, count]) => [`${FAILED}: ${words}`, count, share(count, total)] as const,
  );
  return {
    name: "Goodput",
    columns: ["requests that were", "n", "share"],
    rows: [
      ...PARTS.map(({ name }, at) => [name, counts[at] ?? 0, share(counts[at], total)] as const),
      ...kinds,
    ],
  };
}

function share(count: number | undefined, total: number): number | null {
  return total === 0 ? null : (count ?? 0) / total;
}

customElements.define("goodput-bar", GoodputBar);
