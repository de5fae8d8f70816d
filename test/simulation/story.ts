import { Violation } from "./oracle/violation.js";
import { inWords } from "./words.js";
import { Chance } from "./world/chance.js";
import type { Command } from "./world/kinds.js";
import { createSetting } from "./world/setting.js";
import { World } from "./world/world.js";

/** How a history was broken off. */
export interface Failure {
  readonly message: string;
  /** Index of the command at which it happened; the number of commands if at the end, when everything comes to rest. */
  readonly at: number;
}

/** The commands of a seed. */
export function commandsOf(seed: number, count: number): Command[] {
  const chance = new Chance(seed);
  const { weights } = createSetting(chance);
  const total = weights.reduce((sum, [, weight]) => sum + weight, 0);
  return Array.from({ length: count }, () => {
    let left = chance.next() * total;
    const [kind] = weights.find(([, weight]) => (left -= weight) < 0) ?? (weights[0] as (typeof weights)[number]);
    return [kind, chance.below(2 ** 30)] as const;
  });
}

/** Plays a history. Returns how it failed, if it did, and how many events it had. `tell` hears of everything that is decided. */
export function play(
  seed: number,
  commands: readonly Command[],
  tell?: (line: string) => void,
): { readonly failure: Failure | undefined; readonly events: number } {
  const world = new World(seed, createSetting(new Chance(seed)));
  let at = 0;
  if (tell) world.oracle.heard = (seen) => tell(inWords(seen));
  try {
    for (; at < commands.length; at++) {
      tell?.(`> ${commands[at]?.[0]}`);
      world.happen(commands[at] as Command);
    }
    tell?.("> everything comes to rest");
    world.settle();
    return { failure: undefined, events: world.owner.events };
  } catch (error) {
    const message = error instanceof Violation ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { failure: { message, at }, events: world.owner.events };
  }
}

/** A history that fails for the same kind of reason and is as short as leaving commands out makes it. */
export function shortened(seed: number, commands: readonly Command[], failure: Failure): readonly Command[] {
  const same = reasonOf(failure);
  const fails = (candidate: readonly Command[]) => {
    const other = play(seed, candidate).failure;
    return other !== undefined && reasonOf(other) === same;
  };
  let best = commands.slice(0, failure.at + 1);
  if (!fails(best)) best = [...commands];
  let plays = 0;
  for (let size = Math.ceil(best.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < best.length && plays < 600; ) {
      const candidate = [...best.slice(0, from), ...best.slice(from + size)];
      plays += 1;
      if (fails(candidate)) best = candidate;
      else from += size;
    }
  }
  return best;
}

/** A failure as a text by which anybody can play it again. */
export function told(seed: number, commands: readonly Command[], failure: Failure): string {
  const short = shortened(seed, commands, failure);
  const last = play(seed, short).failure ?? failure;
  const log: string[] = [];
  play(seed, short, (line) => log.push(`    ${line}`));
  const lines = short.map(([kind, how]) => `    ["${kind}", ${how}],`).join("\n");
  return `seed ${seed}, at command ${failure.at} of ${commands.length}: ${failure.message}\n  shortest history that was found (${short.length} commands): ${last.message}\n  play(${seed}, [\n${lines}\n  ])\n  What was seen, to its end:\n${log
    .filter((line) => !line.endsWith(" place: "))
    .slice(-60)
    .join("\n")}`;
}

/** The words of a message without its numbers: by them a shorter history is the same one. */
function reasonOf({ message }: Failure): string {
  return (message.split("\n")[0] ?? "").replaceAll(/\d+/g, "#").slice(0, 60);
}
