import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { chatBody, JSON_HEADERS, startFleet, type TestFleet } from "../harness/fleet.ts";
import { openChromium, openPage } from "./chromium.ts";

let fleet: TestFleet;
let browser: Browser;
let page: Page;

beforeAll(async () => {
  fleet = await startFleet(["vllm", "vllm"], { proxy: { policy: "round-robin" } });
  browser = await openChromium();
}, 60_000);

afterAll(async () => {
  await browser.close();
  await fleet.stop();
});

beforeEach(async () => {
  page = await openPage(browser, { viewport: { width: 1200, height: 900 } });
  return () => page.context().close();
});

const chat = (tokens: number): Promise<Response> =>
  fetch(`${fleet.proxy.dataUrl}/v1/chat/completions`, {
    method: "POST",
    headers: JSON_HEADERS,
    body: chatBody({ tokens }),
  });

async function open(answer: Response): Promise<void> {
  await page.goto(`${fleet.proxy.adminUrl}/requests/${answer.headers.get("x-request-id")}`);
}

test("a request under way is followed to its end, then its waterfall is drawn", async () => {
  const answer = await chat(600);
  await open(answer);
  await page.getByText(/Under way for .*, now decode/).waitFor();
  await answer.text();
  await page.getByRole("img", { name: /Waterfall: .*decode/ }).waitFor();
  await page.getByText("600, counted by usage").waitFor();
});

test("a request that needed two replicas shows both tries, and why the first failed", async () => {
  fleet.engines[0]!.setFaults([{ kind: "status", status: 500 }]);
  let answer: Response;
  do {
    answer = await chat(4);
    await answer.text();
  } while (
    answer.headers.get("x-pitot-replica") === "vllm-1" &&
    answer.headers.get("x-pitot-attempts") !== "2"
  );
  fleet.engines[0]!.setFaults([]);
  expect([answer.status, answer.headers.get("x-pitot-attempts")]).toEqual([200, "2"]);
  await open(answer);
  await page.getByRole("img", { name: /try 1: vllm-0, status 500/ }).waitFor();
  await page.getByText("vllm-0: status_500, vllm-1: answered").waitFor();
  await page.getByText(/^round-robin: turn \d+ over 1$/).waitFor();
}, 20_000);
