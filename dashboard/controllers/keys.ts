import { chooseFile } from "../panels/recording-bar.ts";
import type { PanelTools } from "../elements/panel-tools.ts";
import { copyText, download } from "../state/figures.ts";
import { player } from "../state/recording.ts";
import { chartWindow } from "../state/chart-window.ts";
import type { PageName, Place, RangeName, Span } from "../state/place.ts";
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
  ["t", "to the range"],
  ["[ and ]", "shorter or longer range"],
  ["space", "pause or go on"],
  ["j and k", "next or previous row"],
  ["enter", "open the row"],
  ["z", "look closer at the newest half; again for all"],
  ["o", "open a recording"],
  ["e", "the panel's figures as CSV"],
  ["u", "UTC or local time"],
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

/** What a key does; `false` when there was nothing to do it to. */
const ACTS: Readonly<Record<string, (parts: KeyParts) => boolean | void>> = {
  "?": ({ toggleHelp }) => {
    toggleHelp();
  },
  " ": hold,
  "[": ({ place }) => {
    stepRange(place, -1);
  },
  "]": ({ place }) => {
    stepRange(place, 1);
  },
  c: () => void copyText(location.href),
  u: ({ place, store }) => {
    place.set("utc", place.isUtc ? null : "1");
    store.dispatchEvent(new Event("change"));
  },
  z: ({ place, store }) => {
    place.zoomTo(place.zoom === null ? newestHalf(chartWindow(place, store)) : null);
  },
  e: ({ root }) => exportFigures(root()),
  o: chooseFile,
  "/": ({ root }) => focusFirst(root(), "[data-filter]"),
  t: ({ root }) =>
    focusFirst(root(), "[data-range][aria-pressed=true]") || focusFirst(root(), "[data-range]"),
  j: ({ root }) => stepRow(root(), 1),
  k: ({ root }) => stepRow(root(), -1),
};

function act(key: string, parts: KeyParts): boolean {
  const does = ACTS[key];
  return does !== undefined && does(parts) !== false;
}

/** Whatever moves stands still, and the other way round. */
function hold({ place, store }: KeyParts): void {
  if (place.zoom !== null) place.zoomTo(null);
  else if (store.isRecording) player.play(!player.isPlaying);
  else store.togglePause();
}

function stepRange(place: Place, by: 1 | -1): void {
  const names = Object.keys(RANGES) as RangeName[];
  const next = names[names.indexOf(place.range) + by];
  if (next === undefined) return;
  place.zoomTo(null);
  place.set("range", next);
}

function newestHalf({ fromMs, untilMs }: Span): Span {
  return { fromMs: (fromMs + untilMs) / 2, untilMs };
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

/** Of the panel with the focus, or of the first. */
function exportFigures(root: ParentNode): boolean {
  const tools = deep(root, "panel-tools") as PanelTools[];
  const isFocused = (one: PanelTools): boolean => {
    const within = one.getRootNode();
    return within instanceof ShadowRoot && within.activeElement !== null;
  };
  const found = tools.findLast(isFocused) ?? tools[0];
  if (found !== undefined) download(found.figures());
  return found !== undefined;
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
