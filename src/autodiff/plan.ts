import { planGraph, type Plan, type PlanOptions } from './planning.ts';
import { recompute } from './recompute.ts';

export * from './planning.ts';

/** The plan of a graph, also within an `arenaBudget`. For tools that plan without compiling. */
export const plan = (options: PlanOptions): Plan => planGraph(options, recompute);
