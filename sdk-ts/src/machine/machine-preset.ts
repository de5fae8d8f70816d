/** Sizes of machines. A task with one always has a process of its own. */
export type MachinePresetName = "micro" | "small-1x" | "small-2x" | "medium-1x" | "medium-2x" | "large-1x" | "large-2x";

/** What an attempt on a machine may use. */
export interface MachinePreset {
  readonly name: MachinePresetName;
  /** Processor time, in thousandths of a core. */
  readonly milliCpus: number;
  /** Memory of its process, in MiB. */
  readonly memoryMib: number;
}

/** All presets, the smallest first: Trigger.dev's. */
export const machinePresets: readonly MachinePreset[] = [
  { name: "micro", milliCpus: 250, memoryMib: 256 },
  { name: "small-1x", milliCpus: 500, memoryMib: 512 },
  { name: "small-2x", milliCpus: 1_000, memoryMib: 1_024 },
  { name: "medium-1x", milliCpus: 1_000, memoryMib: 2_048 },
  { name: "medium-2x", milliCpus: 2_000, memoryMib: 4_096 },
  { name: "large-1x", milliCpus: 4_000, memoryMib: 8_192 },
  { name: "large-2x", milliCpus: 8_000, memoryMib: 16_384 },
];

const byName: ReadonlyMap<string, MachinePreset> = new Map(machinePresets.map((preset) => [preset.name, preset]));

/** The preset with this name; undefined if there is none. */
export function machinePreset(name: string): MachinePreset | undefined {
  return byName.get(name);
}

/** For messages: "small-1x (0.5 cpu, 512 MiB)". */
export function describeMachine({ name, milliCpus, memoryMib }: MachinePreset): string {
  return `${name} (${milliCpus / 1_000} cpu, ${describeMemory(memoryMib)})`;
}

/** For messages: "512 MiB", "2 GiB". */
export function describeMemory(mib: number): string {
  return mib >= 1_024 ? `${Math.round((mib / 1_024) * 10) / 10} GiB` : `${mib} MiB`;
}
