import { css } from "lit";

/**
 * Tables that change each second. Their columns are as wide as they are said to be, not as their content is, so that a new
 * figure moves nothing else, and rows out of sight are neither laid out nor painted. Goes on top of `tableStyles`.
 */
export const liveTableStyles = css`
  .live {
    display: block;
  }
  .live thead,
  .live tbody {
    display: block;
  }
  .live thead {
    position: sticky;
    top: 0;
    z-index: 1;
    background: var(--panel);
  }
  .live tr {
    display: grid;
    grid-template-columns: var(--columns);
  }
  .live tbody tr:not(:has(.empty)) {
    height: 2.5em;
    contain: strict;
    content-visibility: auto;
  }
  th,
  td {
    min-width: 0;
    padding-inline: 5px;
  }
  /* Figures fit; words may not. A clip costs, and so only they have one. */
  .live td:first-child,
  .live td.left {
    overflow: hidden;
    text-overflow: ellipsis;
  }
  .live td.empty {
    grid-column: 1 / -1;
  }
`;

/** Columns of a live table by their least widths, in pixels: they share what room there is in proportion. */
export function columnsOf(widthsPx: readonly number[]): string {
  const columns = widthsPx.map((px) => `minmax(${px}px, ${px}fr)`).join(" ");
  return `--columns: ${columns}; min-width: ${widthsPx.reduce((sum, px) => sum + px, 0)}px`;
}
