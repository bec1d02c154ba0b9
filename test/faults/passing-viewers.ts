import { once } from "node:events";
import { request } from "undici";
import { WebSocket } from "ws";
import { systemClock } from "../../engines/clock.ts";

/** Between one board and the next. */
const PAUSE_MS = 5_000;

/** Somebody opens the board, sees its first frame and leaves; a scraper comes by; and so on until told to stop. */
export async function passingViewers(adminUrl: string, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await look(adminUrl);
    await scrape(adminUrl);
    await systemClock.after(PAUSE_MS, signal);
  }
}

/** One look at the board: resolves when the viewer has gone. */
export async function look(adminUrl: string): Promise<void> {
  const socket = new WebSocket(`${adminUrl.replace(/^http/, "ws")}/api/v1/live`);
  await once(socket, "message");
  socket.close();
  await once(socket, "close");
}

async function scrape(adminUrl: string): Promise<void> {
  const { body } = await request(`${adminUrl}/metrics`, { reset: true });
  await body.dump();
}
