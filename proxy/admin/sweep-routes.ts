import { type Context, Hono } from "hono";
import type { SweepDesk } from "../synthetic/sweep-desk.ts";
import { unknownSweep } from "../synthetic/sweep-desk.ts";
import { SweepError } from "../synthetic/sweep-error.ts";
import { refuse } from "./answer.ts";

const STATUS = {
  invalid_sweep: 400,
  not_found: 404,
  conflict: 409,
  confirmation_required: 409,
} as const;

/** `/api/v1/sweeps`: start, watch and stop sweeps of a replica; real traffic as a workload. */
export function sweepRoutes(desk: SweepDesk): Hono {
  const routes = new Hono();
  routes.get("/", (context) => context.json(desk.list()));
  routes.get("/fit", (context) => context.json(desk.fit(context.req.query("model"))));
  routes.post("/", async (context) => {
    const body: unknown = await context.req.json().catch(() => null);
    return refusable(context, () => context.json(desk.start(body), 201));
  });
  routes.get("/:id", (context) =>
    refusable(context, () => {
      const id = context.req.param("id");
      const view = desk.find(id);
      if (view === null) throw unknownSweep(id);
      const after = afterOf(context.req.query("after"));
      return context.json({ ...view, finished: view.finished.slice(after) });
    }),
  );
  routes.delete("/:id", (context) =>
    refusable(context, () =>
      context.json(desk.stop(context.req.param("id"), "stopped by an operator")),
    ),
  );
  return routes;
}

/** So many finished points are known already: whoever follows a sweep need not be sent them each second. */
function afterOf(text: string | undefined): number {
  const after = Number(text ?? 0);
  if (Number.isInteger(after) && after >= 0 && text !== "") return after;
  throw new SweepError("invalid_sweep", `after must be a whole number of points, not "${text}".`);
}

function refusable(context: Context, act: () => Response): Response {
  try {
    return act();
  } catch (error) {
    if (error instanceof SweepError)
      return refuse(context, STATUS[error.code], error.code, error.message);
    throw error;
  }
}
