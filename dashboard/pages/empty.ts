import { css } from "lit";

/** A page that has nothing to show yet: what it will show, and the next step. */
export const emptyStyles = css`
  .empty {
    grid-column: 1 / -1;
    background: var(--panel);
    border: 1px dashed var(--line);
    border-radius: var(--radius);
    padding: 28px;
    max-width: 760px;
    color: var(--soft);
  }
  .empty h2 {
    font-size: 15px;
    color: var(--text);
    margin: 0 0 8px;
  }
  code {
    font-family: var(--mono);
    font-size: 12.5px;
    background: var(--raised);
    border-radius: 5px;
    padding: 1px 6px;
    overflow-wrap: anywhere;
  }
  pre {
    font: 12.5px/1.5 var(--mono);
    background: var(--raised);
    border-radius: 8px;
    padding: 10px 12px;
    overflow-x: auto;
  }
`;
