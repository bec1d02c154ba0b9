import { engines } from "../../engines/index.ts";
import { PERSONAS } from "../harness/simulated.ts";
import { dialectTests } from "../suites/dialect-tests.ts";
import { personaTests } from "../suites/persona-tests.ts";

for (const engine of Object.values(engines)) dialectTests(engine);
for (const persona of PERSONAS) personaTests(persona);
