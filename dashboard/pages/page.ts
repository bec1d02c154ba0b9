import { css } from "lit";

/** The grid every page lays its panels on: twelve columns, one on a narrow screen. */
export const pageStyles = css`
  :host {
    display: grid;
    grid-template-columns: repeat(12, minmax(0, 1fr));
    gap: var(--gap, 14px);
    padding: 16px 20px 28px;
    max-width: 2200px;
    align-content: start;
  }
  .all {
    grid-column: 1 / -1;
  }
  .wide {
    grid-column: span 7;
  }
  .narrow {
    grid-column: span 5;
  }
  .half {
    grid-column: span 6;
  }
  h1 {
    font-size: 18px;
    font-weight: 650;
    margin: 0;
  }
  .head {
    grid-column: 1 / -1;
    display: flex;
    align-items: baseline;
    gap: 8px 14px;
    flex-wrap: wrap;
  }
  .head p {
    color: var(--faint);
    margin: 0;
  }
  .spring {
    flex: 1;
  }
  @media (max-width: 1100px) {
    .wide,
    .narrow,
    .half {
      grid-column: 1 / -1;
    }
  }
  @media (max-width: 600px) {
    :host {
      padding: 12px;
    }
  }
`;
