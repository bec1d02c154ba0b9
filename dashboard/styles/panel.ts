import { css } from "lit";

/** The look every panel shares. */
export const panelStyles = css`
  :host {
    display: block;
    background: var(--panel);
    border: 1px solid var(--line);
    border-radius: var(--radius);
    box-shadow: var(--shadow);
    padding: 14px 16px;
    min-width: 0;
  }
  header {
    display: flex;
    align-items: baseline;
    gap: 10px;
    margin-bottom: 10px;
  }
  h2 {
    font-size: 13px;
    font-weight: 600;
    margin: 0;
    letter-spacing: 0.01em;
    white-space: nowrap;
  }
  .hint {
    color: var(--faint);
    font-size: 12px;
    overflow: hidden;
    text-overflow: ellipsis;
    white-space: nowrap;
  }
  .spring {
    flex: 1;
  }
  button {
    font: inherit;
    color: var(--soft);
    background: none;
    border: 1px solid var(--line);
    border-radius: 6px;
    padding: 2px 8px;
    font-size: 12px;
    cursor: pointer;
  }
  button:hover,
  button[aria-pressed="true"] {
    color: var(--text);
    background: var(--raised);
  }
  :focus-visible {
    outline: 2px solid var(--accent);
    outline-offset: 2px;
  }
  @media (max-width: 600px) {
    header {
      flex-wrap: wrap;
    }
    .hint {
      white-space: normal;
    }
  }
  .visually-hidden {
    position: absolute;
    width: 1px;
    height: 1px;
    overflow: hidden;
    clip-path: inset(50%);
  }
`;

/** A panel that is a grid of cards: it has no frame, each card has one. */
export const cardStyles = css`
  :host {
    display: grid;
    gap: var(--gap);
    background: none;
    border: none;
    box-shadow: none;
    padding: 0;
  }
  article {
    background: var(--panel);
    border: 1px solid var(--line);
    border-radius: var(--radius);
    box-shadow: var(--shadow);
    padding: 12px 16px;
    min-width: 0;
  }
`;

/** Facts by name: as many beside each other as there is room for. */
export const factStyles = css`
  dl {
    display: grid;
    grid-template-columns: repeat(auto-fill, minmax(150px, 1fr));
    gap: 10px 20px;
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
`;

/** Tables: dense, aligned, scrolling inside their panel on narrow screens. */
export const tableStyles = css`
  .scroll {
    overflow: auto;
    margin: 0 -16px -14px;
    padding: 0 16px 10px;
  }
  table {
    border-collapse: separate;
    border-spacing: 0;
    width: 100%;
    font-size: 13px;
  }
  th {
    position: sticky;
    top: 0;
    background: var(--panel);
    text-align: right;
    font-weight: 500;
    font-size: 12px;
    color: var(--faint);
    padding: 4px 10px 6px;
    white-space: nowrap;
    border-bottom: 1px solid var(--line);
  }
  td {
    text-align: right;
    padding: 6px 10px;
    white-space: nowrap;
    border-bottom: 1px solid color-mix(in oklch, var(--line) 55%, transparent);
  }
  tbody tr:last-child td {
    border-bottom: none;
  }
  th:first-child,
  td:first-child {
    padding-left: 0;
    text-align: left;
  }
  th.left,
  td.left {
    text-align: left;
  }
  th:last-child,
  td:last-child {
    padding-right: 0;
  }
  .few {
    color: var(--faint);
    font-style: italic;
  }
  .empty {
    color: var(--faint);
    padding: 18px 0;
    text-align: left;
  }
`;
