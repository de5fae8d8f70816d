import { describeMachine, hostCapacity, type ManifestTask, machinePreset, type WorkerCapacity } from "@runlane/sdk/worker";

/** Lines about tasks that a worker declares and has no room for: their runs wait for a larger one. */
export function tasksWithoutRoom(tasks: readonly ManifestTask[], { milliCpus, memoryMib }: WorkerCapacity): string[] {
  return tasks.flatMap(({ id, machine }) => {
    const preset = machine === undefined ? undefined : machinePreset(machine);
    if (preset === undefined || (preset.milliCpus <= milliCpus && preset.memoryMib <= memoryMib)) return [];
    const room = `${milliCpus / 1_000} cpu and ${memoryMib} MiB`;
    return [
      `the task "${id}" asks for the machine ${describeMachine(preset)}, and this worker offers ${room}: its runs wait for a larger worker, or --cpus and --memory`,
    ];
  });
}

/** What a machine for development offers: itself, and more if a single run of one of the tasks needs more. There, a run that starts is worth more than a promise kept. */
export function developmentCapacity(tasks: readonly ManifestTask[], host: WorkerCapacity = hostCapacity()): WorkerCapacity {
  const presets = tasks.flatMap(({ machine }) => (machine === undefined ? [] : (machinePreset(machine) ?? [])));
  return {
    milliCpus: Math.max(host.milliCpus, ...presets.map((preset) => preset.milliCpus)),
    memoryMib: Math.max(host.memoryMib, ...presets.map((preset) => preset.memoryMib)),
  };
}
