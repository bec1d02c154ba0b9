import { css, html, LitElement, svg, type TemplateResult } from "lit";
import type { AttemptRecord, ExchangeTimes } from "../../engines/exchange.ts";
import { duration } from "../format.ts";

const WIDTH = 760;
const LANE = 26;
/** A gap this many times the median is worth looking at. */
const GAP_FACTOR = 3;

interface Bar {
  readonly label: string;
  readonly color: string;
  readonly fromMs: number;
  readonly toMs: number;
}

/** Where one request's time went: a row for each earlier try, a row for each phase of the last, a tick for each output event. */
export class WaterFall extends LitElement {
  static override properties = {
    times: { attribute: false },
    attempts: { attribute: false },
    offsets: { attribute: false },
  };
  static override styles = css`
    :host {
      display: block;
    }
    svg {
      width: 100%;
      height: auto;
      margin-top: 8px;
    }
    text {
      fill: var(--faint);
      font: 11px var(--font);
    }
    text.inside {
      fill: var(--page);
      font-weight: 600;
    }
  `;
  declare times: ExchangeTimes | null;
  declare attempts: readonly AttemptRecord[];
  /** When each event that carried output came, ms after the start. */
  declare offsets: readonly number[];

  constructor() {
    super();
    this.times = null;
    this.attempts = [];
    this.offsets = [];
  }

  protected override render(): TemplateResult {
    if (this.times === null) return html``;
    const totalMs = Math.max(1, this.times.endedMs - this.times.startedMs);
    const x = (ms: number): number => (Math.max(0, ms) / totalMs) * WIDTH;
    const bars = [...triesOf(this.times, this.attempts), ...phasesOf(this.times, this.attempts)];
    const gaps = this.offsets.slice(1).map((offset, at) => offset - (this.offsets[at] ?? 0));
    const median = [...gaps].sort((a, b) => a - b)[Math.floor(gaps.length / 2)] ?? 0;
    const height = bars.length * LANE + 34;
    const isLong = (at: number): boolean => at > 0 && (gaps[at - 1] ?? 0) > median * GAP_FACTOR;
    return html`<svg
      viewBox="0 0 ${WIDTH} ${height}"
      role="img"
      aria-label="Waterfall: ${bars.map((bar) => `${bar.label} ${duration(bar.toMs - bar.fromMs)}`).join(", ")}"
    >
      ${bars.map(
        (
          { label, color, fromMs, toMs },
          at,
        ) => svg`<rect x=${x(fromMs)} y=${at * LANE + 4} width=${Math.max(1, x(toMs) - x(fromMs))} height="14" rx="3" style="fill: var(${color}); opacity: .8"></rect>
        ${laneLabel(`${label} ${duration(toMs - fromMs)}`, x(toMs), at * LANE + 15)}`,
      )}
      ${this.offsets.map((offset, at) => svg`<rect x=${x(offset)} y=${bars.length * LANE + 6} width="1" height="14" style="fill: var(${isLong(at) ? "--bad" : "--soft"})"></rect>`)}
      <text x="0" y=${height - 2}>
        each mark is one output event; red after a gap over ${GAP_FACTOR} × the median
      </text>
    </svg>`;
  }
}

/** The tries before the last: to whom, and what came of it. */
function triesOf({ startedMs }: ExchangeTimes, attempts: readonly AttemptRecord[]): readonly Bar[] {
  return attempts.slice(0, -1).map((attempt, at) => ({
    label: `try ${at + 1}: ${attempt.replica}, ${attempt.result.replaceAll("_", " ")},`,
    color: "--bad",
    fromMs: attempt.startedMs - startedMs,
    toMs: attempt.endedMs - startedMs,
  }));
}

function phasesOf(times: ExchangeTimes, attempts: readonly AttemptRecord[]): readonly Bar[] {
  const start = times.startedMs;
  const marks = [
    times.routedMs,
    times.connectedMs,
    times.headersMs,
    times.firstTokenMs,
    times.lastTokenMs ?? times.endedMs,
  ];
  const last = attempts.length > 1 ? `try ${attempts.length}: ` : "";
  const lanes: readonly (readonly [string, string])[] = [
    ["in the proxy", "--faint"],
    [`${last}connect`, "--warn"],
    ["sent → headers", "--p50"],
    ["headers → first token", "--accent"],
    ["decode", "--good"],
  ];
  let fromMs = 0;
  return lanes.map(([label, color], at) => {
    const toMs = Math.max(fromMs, (marks[at] ?? start + fromMs) - start);
    const bar = { label, color, fromMs, toMs };
    fromMs = toMs;
    return bar;
  });
}

/** After its bar, or inside its end where nothing fits behind it. */
function laneLabel(label: string, endX: number, y: number): TemplateResult {
  const inside = endX > WIDTH * 0.7;
  return svg`<text x=${inside ? endX - 8 : endX + 6} y=${y} text-anchor=${inside ? "end" : "start"} class=${inside ? "inside" : ""}>${label}</text>`;
}

customElements.define("water-fall", WaterFall);
