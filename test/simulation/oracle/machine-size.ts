/** What an attempt with a machine takes of its worker, by the machine's name: thousandths of a core, and MiB. As docs/machines.md has them. */
export const machineSizes: Readonly<Record<string, { readonly milliCpus: number; readonly memoryMib: number }>> = {
  micro: { milliCpus: 250, memoryMib: 256 },
  "small-1x": { milliCpus: 500, memoryMib: 512 },
  "small-2x": { milliCpus: 1_000, memoryMib: 1_024 },
  "medium-1x": { milliCpus: 1_000, memoryMib: 2_048 },
  "medium-2x": { milliCpus: 2_000, memoryMib: 4_096 },
  "large-1x": { milliCpus: 4_000, memoryMib: 8_192 },
  "large-2x": { milliCpus: 8_000, memoryMib: 16_384 },
};
