import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import type { AttemptRecord, Exchange, InFlightView, Outcome } from "../../engines/exchange.ts";
import type { EndedRow, InFlightRow } from "../../proxy/live/frames.ts";
import { PollController } from "../controllers/poll-controller.ts";
import { figuresTable } from "../elements/figures-table.ts";
import "../elements/panel-tools.ts";
import "../elements/water-fall.ts";
import { age, duration, grouped, moment, NOTHING, shortModel, significant } from "../format.ts";
import type { Loaded } from "../state/api.ts";
import type { Figures } from "../state/figures.ts";
import { store } from "../state/live-store.ts";
import { dialogStyles } from "../styles/dialog.ts";
import { factStyles, panelStyles, tableStyles } from "../styles/panel.ts";

/** One request as the API tells it. */
type Ended = Omit<EndedRow, "outcome" | "attempts"> &
  Pick<Exchange, "times" | "decision" | "streamed" | "route"> & {
    readonly outcome: Outcome;
    readonly attempts: readonly AttemptRecord[];
    readonly outputOffsetsMs: readonly number[];
    readonly state: "ended";
  };
type UnderWay = Omit<InFlightView, "phase"> & InFlightRow & { readonly state: "in-flight" };
type Recorded = EndedRow & { readonly state: "recorded" };
type Detail = Ended | UnderWay | Recorded;

/** What is under way is asked for again this often, until it has ended. */
const REFRESH_MS = 1_000;

type Facts = readonly (readonly [name: string, value: string])[];

/** One request whole: where its time went, who it went to and why, what came of it. Under way, it is followed to its end. */
export class RequestDetail extends LitElement {
  static override properties = {
    requestId: {},
    asTable: { state: true },
  };
  static override styles = [
    panelStyles,
    tableStyles,
    dialogStyles,
    factStyles,
    css`
      :host {
        display: contents;
      }
      dialog {
        width: min(840px, calc(100vw - 32px));
      }
      dialog header {
        margin-bottom: 0;
        flex-wrap: wrap;
      }
      dl {
        column-gap: 18px;
      }
      .scroll {
        max-height: 300px;
        margin: 10px 0;
      }
      .mono {
        font-family: var(--mono);
        font-size: 12px;
      }
    `,
  ];
  declare requestId: string;
  declare asTable: boolean;
  readonly #asked = new PollController<{ readonly request: Detail }>(this, (answer) =>
    answer.kind === "ready" && answer.value.request.state === "in-flight" ? REFRESH_MS : null,
  );

  constructor() {
    super();
    this.requestId = "";
    this.asTable = false;
  }

  protected override firstUpdated(): void {
    this.renderRoot.querySelector("dialog")?.showModal();
  }

  protected override willUpdate(): void {
    this.#asked.ask(store.isRecording ? null : `/requests/${encodeURIComponent(this.requestId)}`);
  }

  protected override render(): TemplateResult {
    const loading = this.#loading();
    return html`<dialog @close=${this.#close} aria-label="Request ${this.requestId}">
      <header>
        <h2>Request <span class="mono">${this.requestId}</span></h2>
        <span class="spring"></span>
        ${
          loading.kind === "ready"
            ? html`<panel-tools
                .figures=${() => figuresOf(loading.value)}
                .table=${this.asTable}
                @table=${() => (this.asTable = !this.asTable)}
              ></panel-tools>`
            : nothing
        }
        <button @click=${this.#close}>close</button>
      </header>
      ${loading.kind === "loading" ? html`<p class="hint">Loading…</p>` : loading.kind === "error" ? html`<p role="alert">${loading.message}</p>` : this.#detail(loading.value)}
    </dialog>`;
  }

  #loading(): Loaded<Detail> {
    if (store.isRecording) return recorded(this.requestId);
    const { answer } = this.#asked;
    return answer.kind === "ready" ? { kind: "ready", value: answer.value.request } : answer;
  }

  readonly #close = (): void => {
    this.dispatchEvent(new CustomEvent("close-request", { bubbles: true, composed: true }));
  };

  #detail(detail: Detail): TemplateResult {
    return html`${this.asTable ? figuresTable(figuresOf(detail)) : picture(detail)}
      <dl>
        ${factsOf(detail).map(
          ([name, value]) =>
            html`<div>
              <dt>${name}</dt>
              <dd>${value}</dd>
            </div>`,
        )}
      </dl>`;
  }
}

function picture(detail: Detail): TemplateResult {
  switch (detail.state) {
    case "ended":
      return html`<water-fall
        .times=${detail.times}
        .attempts=${detail.attempts}
        .offsets=${detail.outputOffsetsMs}
      ></water-fall>`;
    case "in-flight":
      return html`<p role="status">
        Under way for ${age(detail.ageMs)}, now ${detail.phase}: its waterfall is drawn when it has
        ended.
      </p>`;
    case "recorded":
      return html`<p class="hint">A recording holds no waterfall: only when and how it ended.</p>`;
  }
}

function recorded(id: string): Loaded<Detail> {
  const row = store.ended.find((one) => one.id === id);
  return row === undefined
    ? { kind: "error", message: "At this moment of the recording the request is not known." }
    : { kind: "ready", value: { ...row, state: "recorded" } };
}

function factsOf(detail: Detail): Facts {
  const shared: Facts = [
    ["origin", detail.origin],
    ["began", moment(detail.startedMs)],
    ["model", shortModel(detail.model)],
    ["replica", detail.replica ?? NOTHING],
    ["client", detail.client ?? NOTHING],
    ["TTFT", duration(detail.ttftMs)],
  ];
  if (detail.state === "in-flight")
    return [
      ["phase", detail.phase],
      ["age", age(detail.ageMs)],
      ...shared,
      ["output events", grouped(detail.outputEvents)],
      ["events per second", significant(detail.eventsPerSecond)],
      ["tries", String(detail.attempts)],
    ];
  return [
    ["outcome", outcomeOf(detail)],
    ...shared,
    ["TPOT", duration(detail.tpotMs)],
    ["E2E", duration(detail.e2eMs)],
    [
      "input tokens",
      `${grouped(detail.inputTokens)}${detail.cachedInputTokens === null ? "" : `, ${grouped(detail.cachedInputTokens)} cached`}`,
    ],
    ["output tokens", `${grouped(detail.outputTokens)}, counted by ${detail.countedBy}`],
    ["trace", detail.traceId ?? NOTHING],
    ...(detail.state === "ended" ? endedFacts(detail) : []),
  ];
}

function endedFacts({ decision, attempts, route, streamed }: Ended): Facts {
  return [
    ["route", `${route}, ${streamed ? "streamed" : "in one piece"}`],
    ["tries", attempts.map(({ replica, result }) => `${replica}: ${result}`).join(", ")],
    ["routed by", decision === null ? NOTHING : reasonOf(decision)],
  ];
}

/** The policy and its reason; a reason that names the policy itself stands alone. */
function reasonOf({ policy, sentence }: NonNullable<Ended["decision"]>): string {
  return sentence.includes(policy.replaceAll("-", " ")) ? sentence : `${policy}: ${sentence}`;
}

function outcomeOf({ outcome, detail }: Ended | Recorded): string {
  if (typeof outcome === "string") return detail === null ? outcome : `${outcome} (${detail})`;
  const why =
    "code" in outcome
      ? outcome.code
      : "phase" in outcome
        ? `while ${outcome.phase}`
        : outcome.finishReason;
  return why === null ? outcome.kind : `${outcome.kind} (${why})`;
}

/** The facts, and for what has ended its moments, tries and output events. */
function figuresOf(detail: Detail): Figures {
  const facts = factsOf(detail).map(([name, value]) => [name, value] as const);
  if (detail.state !== "ended") return { name: "Request", columns: ["of", "value"], rows: facts };
  const { startedMs } = detail.times;
  const moments = Object.entries(detail.times).map(
    ([name, atMs]: [string, number | null]) =>
      [
        `${name.replace(/Ms$/, "")}, ms after the start`,
        atMs === null ? null : atMs - startedMs,
      ] as const,
  );
  const tries = detail.attempts.map(
    ({ replica, result, endedMs, startedMs: fromMs }, at) =>
      [`try ${at + 1} at ${replica}, ${result}, ms`, endedMs - fromMs] as const,
  );
  const events = detail.outputOffsetsMs.map(
    (offset, at) => [`output event ${at + 1}, ms after the start`, offset] as const,
  );
  return {
    name: "Request",
    columns: ["of", "value"],
    rows: [...facts, ...moments, ...tries, ...events],
  };
}

customElements.define("request-detail", RequestDetail);
