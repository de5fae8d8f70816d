/**
 * The version of the code for runs whose trigger names none: RUNLANE_VERSION, else TRIGGER_VERSION, as Trigger.dev's SDK has it; undefined if neither is set. Read again for every trigger,
 * so that a program may set it late. Does not count for runs that a run waits for: they have the version of that run.
 */
export function defaultVersion(): string | undefined {
  return process.env.RUNLANE_VERSION || process.env.TRIGGER_VERSION || undefined;
}
