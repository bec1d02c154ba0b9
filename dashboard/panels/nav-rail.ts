import { css, html, LitElement, type TemplateResult } from "lit";
import { PlaceController } from "../controllers/place-controller.ts";
import { type PageName, PAGES } from "../state/place.ts";

const NAMES: Readonly<Record<PageName, readonly [glyph: string, title: string]>> = {
  live: ["◉", "Live"],
  replicas: ["▤", "Replicas"],
  requests: ["≡", "Requests"],
  sweeps: ["⌁", "Sweeps"],
  almanac: ["▦", "Almanac"],
  plan: ["∑", "Plan"],
};

/** The six pages. At the left where there is room, along the bottom on a phone. */
export class NavRail extends LitElement {
  static override styles = css`
    nav {
      position: sticky;
      top: 44px;
      display: flex;
      flex-direction: column;
      gap: 2px;
      padding: 14px 8px;
    }
    a {
      display: flex;
      align-items: center;
      gap: 10px;
      padding: 7px 12px;
      border-radius: 8px;
      color: var(--soft);
      text-decoration: none;
      font-size: 13.5px;
      white-space: nowrap;
    }
    a:hover {
      background: var(--raised);
      color: var(--text);
    }
    a[aria-current="page"] {
      background: var(--raised);
      color: var(--text);
      font-weight: 600;
      box-shadow: inset 2px 0 var(--accent);
    }
    a:focus-visible {
      outline: 2px solid var(--accent);
      outline-offset: -2px;
    }
    i {
      font-style: normal;
      width: 1.1em;
      text-align: center;
      color: var(--faint);
    }
    @media (max-width: 1100px) {
      nav {
        flex-direction: row;
        overflow-x: auto;
        padding: 6px 12px;
        border-bottom: 1px solid var(--line);
        position: static;
      }
      a[aria-current="page"] {
        box-shadow: inset 0 -2px var(--accent);
      }
      a {
        padding: 6px 10px;
        gap: 6px;
      }
    }
  `;
  readonly #at = new PlaceController(this);

  protected override render(): TemplateResult {
    const { place } = this.#at;
    return html`<nav aria-label="Pages">
      ${PAGES.map((page) => {
        const [glyph, title] = NAMES[page];
        return html`<a
          href=${place.href(page)}
          aria-current=${page === place.page ? "page" : "false"}
          title="${title} (g ${page[0]})"
          @click=${(event: MouseEvent) => {
            place.follow(event, page);
          }}
          ><i aria-hidden="true">${glyph}</i>${title}</a
        >`;
      })}
    </nav>`;
  }
}

customElements.define("nav-rail", NavRail);
