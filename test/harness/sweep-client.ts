import type { SweepRequest, SweepView } from "../../proxy/synthetic/sweep-view.ts";
import { until } from "./fleet.ts";

/** Asks one proxy for sweeps, as a client of its API. */
export class SweepClient {
  readonly #root: string;

  constructor(adminUrl: string) {
    this.#root = `${adminUrl}/api/v1/sweeps`;
  }

  async post(body: object): Promise<{ status: number; body: SweepView & { error?: unknown } }> {
    const answer = await fetch(this.#root, { method: "POST", body: JSON.stringify(body) });
    return { status: answer.status, body: (await answer.json()) as SweepView };
  }

  /** Starts one that is meant to start, once its replica is back from the one before. */
  async start(body: SweepRequest): Promise<string> {
    let answer = await this.post(body);
    await until(async () => {
      if (!JSON.stringify(answer.body.error ?? "").includes("is starting")) return true;
      answer = await this.post(body);
      return false;
    }, "the replica is back");
    if (answer.status !== 201) throw new Error(JSON.stringify(answer.body));
    return answer.body.id;
  }

  async get(id: string): Promise<SweepView> {
    return (await (await fetch(`${this.#root}/${id}`)).json()) as SweepView;
  }

  async delete(id: string): Promise<number> {
    return (await fetch(`${this.#root}/${id}`, { method: "DELETE" })).status;
  }

  /** Waits for requests to flow. */
  async running(id: string): Promise<void> {
    await until(async () => (await this.get(id)).requests > 0, `sweep ${id} sends`, 20_000);
  }

  async over(id: string): Promise<SweepView> {
    await until(async () => (await this.get(id)).endedMs !== null, `sweep ${id} is over`, 40_000);
    return this.get(id);
  }
}
