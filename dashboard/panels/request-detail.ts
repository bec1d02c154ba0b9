import { css, html, LitElement, nothing, svg, type TemplateResult } from "lit";
import type { AttemptRecord, Exchange, Outcome } from "../../engines/exchange.ts";
import type { EndedRow } from "../../proxy/live/frames.ts";
import { duration, grouped, NOTHING, shortModel } from "../format.ts";
import { panelStyles } from "../styles/panel.ts";

/** One request as the API tells it. */
type Detail = Omit<EndedRow, "outcome" | "attempts"> &
  Pick<Exchange, "times" | "decision" | "streamed" | "route"> & {
    readonly outcome: Outcome;
    readonly attempts: readonly AttemptRecord[];
    readonly outputOffsetsMs: readonly number[];
    readonly state: "ended" | "in-flight";
  };

type Loading =
  | { readonly kind: "loading" }
  | { readonly kind: "error"; readonly message: string }
  | { readonly kind: "detail"; readonly detail: Detail };

const WIDTH = 760;
const LANE = 26;
/** A gap this many times the median is worth looking at. */
const GAP_FACTOR = 3;

/** Where one request's time went: a dialog with the waterfall, a tick for each output event, and the routing decision. */
export class RequestDetail extends LitElement {
  static override properties = { requestId: {}, loading: { state: true } };
  static override styles = [
    panelStyles,
    css`
      :host {
        display: contents;
      }
      dialog {
        width: min(840px, calc(100vw - 32px));
        border: 1px solid var(--line);
        border-radius: 14px;
        background: var(--panel);
        color: var(--text);
        padding: 18px 20px;
        box-shadow: 0 20px 60px oklch(0 0 0 / 0.4);
      }
      dialog::backdrop {
        background: oklch(0 0 0 / 0.45);
      }
      dl {
        display: grid;
        grid-template-columns: repeat(auto-fill, minmax(150px, 1fr));
        gap: 10px 18px;
        margin: 12px 0 0;
      }
      dt {
        color: var(--faint);
        font-size: 12px;
      }
      dd {
        margin: 0;
        overflow-wrap: anywhere;
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
      .mono {
        font-family: var(--mono);
        font-size: 12px;
      }
    `,
  ];
  declare requestId: string;
  declare loading: Loading;

  constructor() {
    super();
    this.requestId = "";
    this.loading = { kind: "loading" };
  }

  protected override firstUpdated(): void {
    this.renderRoot.querySelector("dialog")?.showModal();
    void this.#load();
  }

  protected override render(): TemplateResult {
    return html`<dialog @close=${this.#close} aria-label="Request ${this.requestId}">
      <header>
        <h2>Request <span class="mono">${this.requestId}</span></h2>
        <span class="spring"></span><button @click=${this.#close}>close</button>
      </header>
      ${this.loading.kind === "loading" ? html`<p class="hint">Loading…</p>` : this.loading.kind === "error" ? html`<p>${this.loading.message}</p>` : this.#detail(this.loading.detail)}
    </dialog>`;
  }

  async #load(): Promise<void> {
    try {
      const answer = await fetch(`/api/v1/requests/${encodeURIComponent(this.requestId)}`);
      const body = (await answer.json()) as { request?: Detail; error?: { message: string } };
      if (body.request?.state === "ended") this.loading = { kind: "detail", detail: body.request };
      else
        this.loading = {
          kind: "error",
          message:
            body.error?.message ??
            "This request is still under way: its waterfall is drawn when it has ended.",
        };
    } catch {
      this.loading = {
        kind: "error",
        message: "The proxy does not answer; close this and try again when the board is live.",
      };
    }
  }

  readonly #close = (): void => {
    this.dispatchEvent(new CustomEvent("close-request", { bubbles: true, composed: true }));
  };

  #detail(detail: Detail): TemplateResult {
    const why =
      "code" in detail.outcome
        ? detail.outcome.code
        : "phase" in detail.outcome
          ? `while ${detail.outcome.phase}`
          : detail.outcome.finishReason;
    const facts: readonly (readonly [string, string])[] = [
      ["outcome", `${detail.outcome.kind}${why === null ? "" : ` (${why})`}`],
      ["model", shortModel(detail.model)],
      ["replica", detail.replica ?? NOTHING],
      ["TTFT", duration(detail.ttftMs)],
      ["TPOT", duration(detail.tpotMs)],
      ["E2E", duration(detail.e2eMs)],
      [
        "input tokens",
        `${grouped(detail.inputTokens)}${detail.cachedInputTokens === null ? "" : `, ${grouped(detail.cachedInputTokens)} cached`}`,
      ],
      ["output tokens", `${grouped(detail.outputTokens)}, counted by ${detail.countedBy}`],
      [
        "routed by",
        detail.decision === null
          ? NOTHING
          : `${detail.decision.policy}: ${detail.decision.sentence}`,
      ],
    ];
    return html`${this.#waterfall(detail)}
      <dl>
        ${facts.map(
          ([name, value]) =>
            html`<div>
              <dt>${name}</dt>
              <dd>${value}</dd>
            </div>`,
        )}
      </dl>
      ${detail.attempts.length > 1 ? html`<p class="hint">${detail.attempts.map((attempt, index) => `try ${index + 1}: ${attempt.replica} → ${attempt.result}`).join(" · ")}</p>` : nothing}`;
  }

  #waterfall({ times, outputOffsetsMs }: Detail): TemplateResult {
    const start = times.startedMs;
    const total = Math.max(1, times.endedMs - start);
    const x = (ms: number): number => (ms / total) * WIDTH;
    const marks = [
      start,
      times.routedMs,
      times.connectedMs,
      times.headersMs,
      times.firstTokenMs,
      times.lastTokenMs ?? times.endedMs,
    ];
    const lanes: readonly (readonly [string, string])[] = [
      ["in the proxy", "--faint"],
      ["connect", "--warn"],
      ["sent → headers", "--p50"],
      ["headers → first token", "--accent"],
      ["decode", "--good"],
    ];
    let fromMs = 0;
    const bars = lanes.map(([label, color], index) => {
      const endMs = Math.max(fromMs, (marks[index + 1] ?? start + fromMs) - start);
      const bar = { label, color, fromMs, toMs: endMs };
      fromMs = endMs;
      return bar;
    });
    const gaps = outputOffsetsMs
      .slice(1)
      .map((offset, index) => offset - (outputOffsetsMs[index] ?? 0));
    const median = [...gaps].sort((a, b) => a - b)[Math.floor(gaps.length / 2)] ?? 0;
    const height = bars.length * LANE + 34;
    return html`<svg
      viewBox="0 0 ${WIDTH} ${height}"
      role="img"
      aria-label="Waterfall: ${bars.map((bar) => `${bar.label} ${duration(bar.toMs - bar.fromMs)}`).join(", ")}"
    >
      ${bars.map(
        (
          bar,
          index,
        ) => svg`<rect x=${x(bar.fromMs)} y=${index * LANE + 4} width=${Math.max(1, x(bar.toMs) - x(bar.fromMs))} height="14" rx="3" style="fill: var(${bar.color}); opacity: .8"></rect>
        ${laneLabel(`${bar.label} ${duration(bar.toMs - bar.fromMs)}`, x(bar.toMs), index * LANE + 15)}`,
      )}
      ${outputOffsetsMs.map((offset, index) => svg`<rect x=${x(offset)} y=${bars.length * LANE + 6} width="1" height="14" style="fill: var(${index > 0 && (gaps[index - 1] ?? 0) > median * GAP_FACTOR ? "--bad" : "--soft"})"></rect>`)}
      <text x="0" y=${height - 2}>
        each mark is one output event; red after a gap over ${GAP_FACTOR} × the median
      </text>
    </svg>`;
  }
}

/** After its bar, or inside its end where nothing fits behind it. */
function laneLabel(label: string, endX: number, y: number): TemplateResult {
  const inside = endX > WIDTH * 0.7;
  return svg`<text x=${inside ? endX - 8 : endX + 6} y=${y} text-anchor=${inside ? "end" : "start"} class=${inside ? "inside" : ""}>${label}</text>`;
}

customElements.define("request-detail", RequestDetail);
