import type { Page } from "playwright-core";

/** Goes to a page of the board and waits until its figures are live. */
export async function openBoard(page: Page, url: string): Promise<void> {
  await page.goto(url);
  await page.getByText("live", { exact: true }).waitFor();
}

/** Whether nothing needs scrolling sideways. */
export function fitsSideways(page: Page): Promise<boolean> {
  return page.evaluate<boolean>(
    "document.documentElement.scrollWidth <= document.documentElement.clientWidth",
  );
}
