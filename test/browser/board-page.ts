import type { FileChooser, Page } from "playwright-core";
import { until } from "../harness/fleet.ts";

/** Goes to a page of the board and waits until its figures are live. */
export async function openBoard(page: Page, url: string): Promise<void> {
  await page.goto(url);
  await page.getByText("live", { exact: true }).waitFor();
}

/** The next file dialog; asked for before the page is gone to, since the browser is told to hold dialogs back meanwhile. */
export function nextFileDialog(page: Page): Promise<FileChooser> {
  return new Promise((resolve) => {
    page.once("filechooser", resolve);
  });
}

/** Whether nothing needs scrolling sideways. */
export function fitsSideways(page: Page): Promise<boolean> {
  return page.evaluate<boolean>(
    "document.documentElement.scrollWidth <= document.documentElement.clientWidth",
  );
}

/**
 * Goes by two keys, again until it is there: the second must follow within a moment, and on a busy machine it may not.
 */
export async function goByKeys(page: Page, keys: string, heading: string): Promise<void> {
  const there = page.getByRole("heading", { level: 1, name: heading });
  await until(async () => {
    for (const key of keys) await page.keyboard.press(key);
    return there.isVisible();
  }, `${keys} leads to ${heading}`);
}
