import { type MachinePreset, type MachinePresetName, machinePreset, machinePresets } from "./machine-preset.js";

export type { MachinePresetName } from "./machine-preset.js";

/** How a task, or the config, names a machine: its preset, or what it must have at least. The latter is deprecated, as in Trigger.dev. */
export type MachineOption =
  | MachinePresetName
  | {
      preset: MachinePresetName;
    }
  | {
      /** Cores. @deprecated Name a preset. */
      cpu?: number;
      /** GiB. @deprecated Name a preset. */
      memory?: number;
    };

/**
 * The preset that an option stands for. For `cpu` and `memory` it is the smallest that has both.
 *
 * @throws Error for a preset that does not exist, or more than the largest has. `where` begins its message.
 */
export function presetOf(where: string, option: MachineOption): MachinePresetName {
  if (typeof option === "string") return named(where, option);
  if (typeof option !== "object" || option === null) throw new Error(`${where}: a machine is the name of a preset: ${names()}`);
  const { preset, cpu = 0, memory = 0 } = option as { preset?: string; cpu?: number; memory?: number };
  if (preset !== undefined) return named(where, preset);
  const found = machinePresets.find(({ milliCpus, memoryMib }) => milliCpus >= cpu * 1_000 && memoryMib >= memory * 1_024);
  if (found === undefined) throw new Error(`${where}: no machine has ${cpu} cpu and ${memory} GiB of memory; the largest is ${largest.name}`);
  return found.name;
}

const largest: MachinePreset = machinePresets.at(-1)!;

function named(where: string, name: string): MachinePresetName {
  const preset = machinePreset(name);
  if (preset === undefined) throw new Error(`${where}: there is no machine ${JSON.stringify(name)}; there are ${names()}`);
  return preset.name;
}

function names(): string {
  return machinePresets.map(({ name }) => name).join(", ");
}
