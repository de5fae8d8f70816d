import { parentPort, workerData } from "node:worker_threads";
import { commandsOf, play, told } from "./story.js";

/** What a thread of the simulation is told to play. */
export interface Order {
  readonly first: number;
  readonly seeds: number;
  readonly commands: number;
  /** Every how many seeds this thread has one. */
  readonly stride: number;
  /** It ends after this many failures. */
  readonly failures: number;
  /** It looks for no shorter history of a failure. */
  readonly brief?: boolean;
}

/** What it found. */
export interface Report {
  readonly played: number;
  readonly events: number;
  readonly failures: readonly string[];
}

/** Plays seeds, one after the other. */
export function playSeeds({ first, seeds, commands, stride, failures: most, brief }: Order): Report {
  const failures: string[] = [];
  let played = 0;
  let events = 0;
  for (let seed = first; seed < first + seeds && failures.length < most; seed += stride) {
    const story = commandsOf(seed, commands);
    const result = play(seed, story);
    played += 1;
    events += result.events;
    if (result.failure) failures.push(brief ? `seed ${seed}: ${result.failure.message}` : told(seed, story, result.failure));
  }
  return { played, events, failures };
}

if (parentPort) parentPort.postMessage(playSeeds(workerData as Order));
