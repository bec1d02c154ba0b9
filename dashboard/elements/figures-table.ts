import { html, type TemplateResult } from "lit";
import { grouped, NOTHING, significant } from "../format.ts";
import type { FigureCell, Figures } from "../state/figures.ts";

/** Figures as a table, for panels that are a picture. Takes the styles of `tableStyles`. */
export function figuresTable({ name, columns, rows }: Figures): TemplateResult {
  return html`<div class="scroll" tabindex="0" role="region" aria-label=${name}>
    <table>
      <thead>
        <tr>
          ${columns.map((column) => html`<th>${column}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          (row) =>
            html`<tr>
              ${row.map((cell) => html`<td>${said(cell)}</td>`)}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

function said(cell: FigureCell): string {
  if (cell === null) return NOTHING;
  if (typeof cell === "string") return cell;
  return Number.isInteger(cell) ? grouped(cell) : significant(cell);
}
