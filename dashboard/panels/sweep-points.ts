import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import type { LatencySummary } from "../../load/results/point.ts";
import type { SweepPoint } from "../../proxy/synthetic/sweep-view.ts";
import { duration, grouped, significant } from "../format.ts";
import { loadOf, spoken, VERDICTS } from "../state/sweep-curve.ts";
import { panelStyles, tableStyles } from "../styles/panel.ts";

/** Every finished point with its interval, its verdicts and what to know before trusting it: the table behind the curves. */
export class SweepPoints extends LitElement {
  static override properties = { points: { attribute: false } };
  static override styles = [
    panelStyles,
    tableStyles,
    css`
      .invalid td {
        color: var(--faint);
        font-style: italic;
      }
      td.caveat {
        white-space: normal;
        min-width: 180px;
        color: var(--soft);
      }
    `,
  ];
  declare points: readonly SweepPoint[];

  constructor() {
    super();
    this.points = [];
  }

  protected override render(): TemplateResult {
    const reasons = this.points.some(({ point }) => (point.ttfotMs ?? null) !== null);
    return html`<header>
        <h2>Points</h2>
        <span class="hint">medians with their 95 % interval; synthetic requests only</span>
      </header>
      <div class="scroll" tabindex="0" role="region" aria-label="Points of the sweep">
        <table>
          <thead>
            <tr>
              <th>shape</th>
              <th class="left">part</th>
              <th>load</th>
              <th>n</th>
              <th>TTFT p50</th>
              <th>TTFT p95</th>
              ${reasons ? html`<th title="To the first output that is no reasoning">TTFOT p50</th>` : nothing}
              <th>TPOT p50</th>
              <th>TPOT p95</th>
              <th>output tok/s</th>
              <th>req/s</th>
              <th>users' req/s</th>
              <th class="left">objectives</th>
              <th class="left">to know</th>
            </tr>
          </thead>
          <tbody>
            ${this.points.map((point) => row(point, reasons ? "with TTFOT" : "plain"))}
          </tbody>
        </table>
      </div>`;
  }
}

function row({ point, coTraffic }: SweepPoint, form: "with TTFOT" | "plain"): TemplateResult {
  const { ttftMs, tpotMs } = point;
  const half = point.outputTokensHalfWidth;
  return html`<tr class=${point.valid ? "" : "invalid"}>
    <td>${point.shape}</td>
    <td class="left">${point.stage}</td>
    <td>${loadOf(point)}</td>
    <td>${grouped(point.n)}</td>
    <td title=${intervalOf(ttftMs)}>${duration(ttftMs.p50)}</td>
    <td>${duration(ttftMs.p95)}</td>
    ${form === "plain" ? nothing : html`<td>${duration(point.ttfotMs?.p50 ?? null)}</td>`}
    <td title=${intervalOf(tpotMs)}>${duration(tpotMs.p50)}</td>
    <td>${duration(tpotMs.p95)}</td>
    <td>
      ${significant(point.outputTokensPerSecond)}${half === null ? "" : ` ± ${significant(half)}`}
    </td>
    <td>${significant(point.completedRatePerSecond)}</td>
    <td title="Real requests on the same replica meanwhile">
      ${significant(coTraffic.requestsPerSecond)}
    </td>
    <td class="left">
      ${point.verdicts.map(({ objective, verdict, n, violations }) => {
        const [glyph, word, color] = VERDICTS[verdict];
        const said = `${spoken(objective)}: ${word}, ${violations} of ${n} beyond it`;
        return html`<span style="color: var(${color})" title=${said} role="img" aria-label=${said}
          >${glyph}</span
        > `;
      })}
    </td>
    <td class="left caveat">
      ${point.valid ? point.flags.join(", ") : `invalid: ${point.invalidBecause ?? ""}`}
    </td>
  </tr>`;
}

function intervalOf({ low, high, n }: LatencySummary): string {
  return `${duration(low)} to ${high === null ? "unbounded" : duration(high)}, n = ${n}`;
}

customElements.define("sweep-points", SweepPoints);
