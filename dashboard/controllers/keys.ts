import type { PageName, Place, RangeName } from "../state/place.ts";
import { RANGES } from "../state/place.ts";
import type { LiveStore } from "../state/live-store.ts";

/** Every key of the board, for `?` and for the listener alike. */
export const KEYS = [
  ["g l", "Live"],
  ["g r", "Replicas"],
  ["g q", "Requests"],
  ["g s", "Sweeps"],
  ["g a", "Almanac"],
  ["g p", "Plan"],
  ["/", "filter"],
  ["[ and ]", "shorter or longer range"],
  ["space", "pause or go on"],
  ["j and k", "next or previous row"],
  ["enter", "open the row"],
  ["c", "copy a link to what you see"],
  ["esc", "back"],
  ["?", "this help"],
] as const;

const GO: Readonly<Record<string, PageName>> = {
  l: "live",
  r: "replicas",
  q: "requests",
  s: "sweeps",
  a: "almanac",
  p: "plan",
};
/** How long after `g` the second key still belongs to it. */
const CHORD_MS = 1_500;

export interface KeyParts {
  readonly place: Place;
  readonly store: LiveStore;
  readonly toggleHelp: () => void;
  /** The page's root, in which rows and filters are looked for. */
  readonly root: () => ParentNode;
}

/** Listens to the keyboard for the whole page. Returns how to stop. */
export function listenToKeys(parts: KeyParts): () => void {
  let chordMs = -Infinity;
  const heard = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event)) return;
    const isChord = event.timeStamp - chordMs < CHORD_MS;
    chordMs = -Infinity;
    const page = isChord ? GO[event.key] : undefined;
    if (page !== undefined) parts.place.go(page);
    else if (event.key === "g") chordMs = event.timeStamp;
    else if (!act(event.key, parts)) return;
    event.preventDefault();
  };
  window.addEventListener("keydown", heard);
  return () => {
    window.removeEventListener("keydown", heard);
  };
}

function act(key: string, { place, store, toggleHelp, root }: KeyParts): boolean {
  switch (key) {
    case "?":
      toggleHelp();
      return true;
    case " ":
      store.togglePause();
      return true;
    case "[":
    case "]":
      stepRange(place, key === "]" ? 1 : -1);
      return true;
    case "c":
      void navigator.clipboard?.writeText(location.href);
      return true;
    case "/":
      return focusFirst(root(), "[data-filter]");
    case "j":
    case "k":
      return stepRow(root(), key === "j" ? 1 : -1);
    default:
      return false;
  }
}

function stepRange(place: Place, by: 1 | -1): void {
  const names = Object.keys(RANGES) as RangeName[];
  const next = names[names.indexOf(place.range) + by];
  if (next !== undefined) place.set("range", next);
}

function isTyping(event: KeyboardEvent): boolean {
  const [target] = event.composedPath();
  return (
    target instanceof HTMLInputElement ||
    target instanceof HTMLSelectElement ||
    target instanceof HTMLTextAreaElement ||
    (target instanceof HTMLElement && target.closest("dialog[open]") !== null) ||
    (event.key === " " && target instanceof HTMLButtonElement)
  );
}

function focusFirst(root: ParentNode, selector: string): boolean {
  const [found] = deep(root, selector);
  found?.focus();
  return found !== undefined;
}

function stepRow(root: ParentNode, by: 1 | -1): boolean {
  const rows = deep(root, "tr[tabindex]");
  const at = rows.findIndex((row) => row.matches(":focus"));
  const next = rows[Math.max(0, Math.min(rows.length - 1, at + by))];
  next?.focus();
  return next !== undefined;
}

/** Elements in this tree and in the shadow trees within it, in document order. */
function deep(root: ParentNode, selector: string): HTMLElement[] {
  const found: HTMLElement[] = [];
  for (const element of root.querySelectorAll<HTMLElement>("*")) {
    if (element.matches(selector)) found.push(element);
    if (element.shadowRoot !== null) found.push(...deep(element.shadowRoot, selector));
  }
  return found;
}
