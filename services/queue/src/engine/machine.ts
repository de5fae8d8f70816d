/** What an attempt with a machine may use. */
export interface Machine {
  /** Name of the preset. */
  readonly name: string;
  /** Processor time, in thousandths of a core. */
  readonly milliCpus: number;
  /** Memory, in MiB. */
  readonly memoryMib: number;
}

const preset = (name: string, milliCpus: number, memoryMib: number): readonly [string, Machine] => [name, { name, milliCpus, memoryMib }];

/** The presets by name, as Trigger.dev has them. A GB of theirs is 1,024 MiB. */
export const machines: ReadonlyMap<string, Machine> = new Map([
  preset("micro", 250, 256),
  preset("small-1x", 500, 512),
  preset("small-2x", 1_000, 1_024),
  preset("medium-1x", 1_000, 2_048),
  preset("medium-2x", 2_000, 4_096),
  preset("large-1x", 4_000, 8_192),
  preset("large-2x", 8_000, 16_384),
]);

/** Why a preset cannot be asked for; undefined if it can, or if none is. */
export function machineFault(name: string | undefined): string | undefined {
  if (name === undefined || name === "" || machines.has(name)) return undefined;
  return `there is no machine ${JSON.stringify(name.slice(0, 64))}; there are ${[...machines.keys()].join(", ")}`;
}
