import { html, type TemplateResult } from "lit";
import type { ReplicaView } from "../../proxy/upstream/fleet.ts";
import {
  age,
  clock,
  duration,
  grouped,
  NOTHING,
  percent,
  SAMPLES_FEW,
  shortModel,
  significant,
} from "../format.ts";
import { errorsByKind, sayErrors, SHORT_WORDS } from "../state/error-words.ts";
import type { FigureCell } from "../state/figures.ts";
import type { LiveStore } from "../state/live-store.ts";
import type { Tally } from "../state/rolling.ts";
import { stateSpans, type StateSpan } from "../state/state-spans.ts";

/** State as glyph, word and colour: never colour alone. */
export const STATES = {
  up: ["●", "--good"],
  starting: ["◌", "--warn"],
  draining: ["◐", "--warn"],
  down: ["✕", "--bad"],
  disabled: ["■", "--faint"],
} as const;
/** The troubled first. */
const ORDER = ["down", "disabled", "starting", "draining", "up"];

/** Width of the line of the last hour: what moves it by less than a pixel is not drawn anew. */
const HOUR_PX = 48;
/** However short, that it was down must be seen. */
const DOWN_PX_MIN = 2;

/** What a row is made of. */
export interface ReplicaRow {
  readonly view: ReplicaView;
  /** Its real traffic of the last minutes; `null` without any. */
  readonly tally: Tally | null;
  readonly store: LiveStore;
}

/** One column: what it is called, what it sorts and exports by, and how it is shown. */
export interface ReplicaColumn {
  readonly key: string;
  readonly title: string;
  /** The least it needs; the room there is goes to all in proportion. */
  readonly widthPx: number;
  readonly explains?: string;
  readonly isLeft?: true;
  /** Shown only when chosen. */
  readonly isExtra?: true;
  readonly value: (row: ReplicaRow) => FigureCell;
  readonly show?: (row: ReplicaRow) => TemplateResult | string;
  /** Samples of a percentile: few of them are dimmed. */
  readonly n?: (row: ReplicaRow) => number;
}

const perSecond = (count: number | undefined, { seconds }: { seconds: number }): number | null =>
  count === undefined || count === 0 || seconds === 0 ? null : count / seconds;

/** A percentile of a latency of the last minutes. */
function latency(of: "ttft" | "tpot", q: number): ReplicaColumn {
  const title = `${of.toUpperCase()} p${q * 100}`;
  const read = ({ tally }: ReplicaRow): number | null => tally?.[of].quantile(q) ?? null;
  return {
    key: `${of}${q * 100}`,
    title,
    widthPx: 66,
    value: read,
    show: (row) => duration(read(row)),
    n: ({ tally }) => tally?.[of].count ?? 0,
  };
}

const share = (part: number | null | undefined, whole: number | null | undefined): number | null =>
  part === null || part === undefined || !whole ? null : part / whole;

/** Every column there is, in the order they stand. */
export const REPLICA_COLUMNS: readonly ReplicaColumn[] = [
  {
    key: "state",
    title: "state",
    widthPx: 86,
    isLeft: true,
    value: ({ view }) => ORDER.indexOf(view.state),
    show: ({ view: { state, because } }) =>
      html`<span title=${because}
        ><span style="color: var(${STATES[state][1]})">${STATES[state][0]}</span> ${state}</span
      >`,
  },
  {
    key: "hour",
    title: "last hour",
    widthPx: 58,
    explains: "State over the last 60 minutes; grey where nothing is known",
    isLeft: true,
    value: ({ view }) => -view.sinceMs,
    show: ({ view, store }) => stateLine(view, store),
  },
  {
    key: "model",
    title: "model",
    widthPx: 97,
    isLeft: true,
    value: ({ view }) => view.models[0] ?? null,
    show: ({ view }) => shortModel(view.models[0] ?? ""),
  },
  { key: "weight", title: "weight", widthPx: 56, isExtra: true, value: ({ view }) => view.weight },
  { key: "inflight", title: "in flight", widthPx: 56, value: ({ view }) => view.inFlight },
  {
    key: "queue",
    title: "run / wait",
    widthPx: 68,
    explains: "As the engine says: in its batch, and waiting for it",
    value: ({ view }) => view.stats?.waiting ?? null,
    show: ({ view: { stats } }) =>
      `${grouped(stats?.running ?? null)} / ${grouped(stats?.waiting ?? null)}`,
  },
  {
    key: "kv",
    title: "KV cache",
    widthPx: 82,
    value: ({ view }) => view.stats?.kvCacheUsageRatio ?? null,
    show: ({ view }) => filled(view.stats?.kvCacheUsageRatio ?? null),
  },
  {
    key: "hits",
    title: "prefix hits",
    widthPx: 74,
    explains: "Prompt tokens out of the engine's cache, since it started",
    isExtra: true,
    value: ({ view: { stats } }) => share(stats?.prefixHitTokens, stats?.prefixQueryTokens),
    show: ({ view: { stats } }) => percent(share(stats?.prefixHitTokens, stats?.prefixQueryTokens)),
  },
  {
    key: "rate",
    title: "req/s",
    widthPx: 44,
    value: ({ tally, store }) => perSecond(tally?.ended, store.lately),
    show: ({ tally, store }) => significant(perSecond(tally?.ended, store.lately)),
  },
  {
    key: "tokens",
    title: "out tok/s",
    widthPx: 64,
    value: ({ tally, store }) => perSecond(tally?.outputTokens, store.lately),
    show: ({ tally, store }) => grouped(perSecond(tally?.outputTokens, store.lately)),
  },
  latency("ttft", 0.5),
  latency("ttft", 0.95),
  latency("tpot", 0.5),
  { ...latency("tpot", 0.95), isExtra: true },
  {
    key: "failed",
    title: "failed",
    widthPx: 70,
    explains: "Failed before any output or cut off within it over 5 min, and why most of them did",
    value: ({ tally }) => (tally === null || tally.ended === 0 ? null : tally.failed + tally.cut),
    show: errors,
  },
  {
    key: "probe",
    title: "last probe",
    widthPx: 126,
    isExtra: true,
    isLeft: true,
    value: ({ view }) => view.lastProbe?.atMs ?? null,
    show: ({ view: { lastProbe } }) =>
      lastProbe === null
        ? NOTHING
        : `${lastProbe.ok ? "ok" : lastProbe.message}, ${clock(lastProbe.atMs)}`,
  },
  {
    key: "since",
    title: "since",
    widthPx: 53,
    value: ({ view, store }) => Math.max(0, store.nowMs - view.sinceMs),
    show: ({ view, store }) =>
      html`<span title=${view.because}>${age(Math.max(0, store.nowMs - view.sinceMs))}</span>`,
  },
];

/** True where a column's figure comes from too few samples to stand by. */
export function isFew({ n }: ReplicaColumn, row: ReplicaRow): boolean {
  return n !== undefined && n(row) < SAMPLES_FEW;
}

/** How many, and of which kind most. */
function errors({ tally }: ReplicaRow): TemplateResult | string {
  if (tally === null || tally.ended === 0) return NOTHING;
  const count = tally.failed + tally.cut;
  if (count === 0) return "0";
  const [most] = errorsByKind(tally.errors, SHORT_WORDS);
  return html`<span title=${sayErrors(tally.errors)}
    >${count}${most === undefined ? "" : html` <span class="kind">${most[0]}</span>`}</span
  >`;
}

function filled(ratio: number | null): TemplateResult | string {
  if (ratio === null) return NOTHING;
  return html`<span class="bar" style="--filled: ${Math.min(100, Math.round(ratio * 100))}%"></span
    >${percent(ratio)}`;
}

function stateLine(view: ReplicaView, store: LiveStore): TemplateResult {
  const spans = stateSpans(view, store.events, store.nowMs);
  const words = spans
    .map(({ state, fromMs, untilMs }) => `${state ?? "unknown"} ${age(untilMs - fromMs)}`)
    .join(", then ");
  return html`<span
    class="hour"
    role="img"
    aria-label=${words}
    title=${words}
    style="background: linear-gradient(90deg, ${stopsOf(spans)})"
  ></span>`;
}

/** Spans as the stops of a gradient without blends: a state that is as it should be is drawn quietly. */
function stopsOf(spans: readonly StateSpan[]): string {
  const startMs = spans[0]?.fromMs ?? 0;
  const lengthMs = Math.max(1, (spans.at(-1)?.untilMs ?? 0) - startMs);
  const at = (ms: number): number => Math.round(((ms - startMs) / lengthMs) * HOUR_PX);
  return spans
    .filter(({ state, fromMs, untilMs }) => state === "down" || at(untilMs) > at(fromMs))
    .map(({ state, fromMs, untilMs }) => {
      const color =
        state === null
          ? "var(--raised)"
          : state === "up"
            ? "color-mix(in oklch, var(--good) 60%, var(--panel))"
            : `var(${STATES[state][1]})`;
      const leastPx = state === "down" ? DOWN_PX_MIN : 0;
      return `${color} ${at(fromMs)}px ${Math.max(at(fromMs) + leastPx, at(untilMs))}px`;
    })
    .join(", ");
}
