import { html, type TemplateResult } from "lit";
import type { EndedRow } from "../../proxy/live/frames.ts";
import { duration, grouped, moment, NOTHING, shortModel } from "../format.ts";
import { OUTCOMES, opener } from "./request-tables.ts";

/** One ended request as a row of the list; Enter or a click opens it. */
export function requestRow(row: EndedRow): TemplateResult {
  const [glyph, color] = OUTCOMES[row.outcome];
  const { click, key } = opener(row.id);
  return html`<tr
    tabindex="0"
    data-request=${row.id}
    @click=${click}
    @keydown=${key}
    title=${row.detail ?? ""}
  >
    <td class="mono">${moment(row.startedMs)}</td>
    <td class="left">
      <span style="color: var(${color})">${glyph}</span>
      ${row.outcome}${row.detail === null ? "" : ` (${row.detail})`}
    </td>
    <td class="left ${row.origin}">${row.origin}</td>
    <td class="left">${shortModel(row.model)}</td>
    <td class="left">${row.replica ?? NOTHING}</td>
    <td class="left">${row.client ?? NOTHING}</td>
    <td>${grouped(row.inputTokens)}</td>
    <td>${grouped(row.cachedInputTokens)}</td>
    <td>${grouped(row.outputTokens)}</td>
    <td class="left">${row.countedBy}</td>
    <td>${duration(row.ttftMs)}</td>
    <td>${duration(row.tpotMs)}</td>
    <td>${duration(row.e2eMs)}</td>
    <td>${row.attempts}</td>
  </tr>`;
}

/** A filter of the address in words. */
export function sayFilter(name: string, value: string): string {
  if (name === "from" || name === "until") return `${name} ${moment(Number(value))}`;
  return name === "slower" ? `TTFT ≥ ${duration(Number(value))}` : `${name} ${value}`;
}
