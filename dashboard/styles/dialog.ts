import { css } from "lit";

/** Dialogs: what confirms, explains or shows one thing whole. */
export const dialogStyles = css`
  dialog {
    width: min(520px, calc(100vw - 32px));
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
  dialog header {
    display: flex;
    align-items: baseline;
    gap: 10px;
  }
  dialog h2 {
    font-size: 15px;
    margin: 0;
  }
  dialog p {
    color: var(--soft);
    margin: 10px 0;
  }
  .spring {
    flex: 1;
  }
  .actions {
    display: flex;
    justify-content: flex-end;
    gap: 8px;
    margin-top: 16px;
  }
  button {
    font: inherit;
    font-size: 13px;
    color: var(--soft);
    background: none;
    border: 1px solid var(--line);
    border-radius: 7px;
    padding: 4px 12px;
    cursor: pointer;
  }
  button:hover {
    color: var(--text);
    background: var(--raised);
  }
  button.danger {
    color: var(--bad);
    border-color: var(--bad);
  }
  button:focus-visible {
    outline: 2px solid var(--accent);
    outline-offset: 2px;
  }
`;
