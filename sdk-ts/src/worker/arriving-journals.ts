import type { JournalPart, Resume } from "#gen/runlane/v1/worker_service_pb.js";
import { wholeEntries } from "./journal-parts.js";
import type { PassingAssignment } from "./passing-frames.js";
import { type TokenKey, tokenKey } from "./token-key.js";

interface Arriving {
  readonly assignment: PassingAssignment;
  readonly parts: JournalPart[];
  entries: number;
  /** Ends of waits that came before the last part. */
  readonly resumes: Resume[];
}

/** An assignment that is there with its whole journal. */
export interface Arrived {
  readonly assignment: PassingAssignment;
  readonly resumes: readonly Resume[];
}

/** Assignments whose journals are on their way. They are not accepted before, so that the server takes back what arrives in part only. */
export class ArrivingJournals {
  readonly #arriving = new Map<TokenKey, Arriving>();

  /** Takes assignments of a frame; those that bring no journal, and may start. */
  assigned(assignments: readonly PassingAssignment[]): readonly PassingAssignment[] {
    if (!assignments.some(({ journalLength }) => journalLength > 0)) return assignments;
    return assignments.filter((assignment) => {
      if (assignment.journalLength === 0) return true;
      this.#arriving.set(assignment.key, { assignment, parts: [], entries: 0, resumes: [] });
      return false;
    });
  }

  /** Takes a part of a journal; the assignment, if that was the last one. */
  part(part: JournalPart): Arrived | undefined {
    const key = tokenKey(part.token);
    const arriving = this.#arriving.get(key);
    if (arriving === undefined) return undefined;
    arriving.parts.push(part);
    arriving.entries += wholeEntries(part);
    const { assignment, parts, entries, resumes } = arriving;
    if (entries < assignment.journalLength) return undefined;
    this.#arriving.delete(key);
    assignment.journal = parts;
    return { assignment, resumes };
  }

  /** Keeps the end of a wait of an attempt that is still arriving. */
  resume(key: TokenKey, resume: Resume): void {
    this.#arriving.get(key)?.resumes.push(resume);
  }

  /** An assignment is the worker's no longer. */
  drop(key: TokenKey): void {
    this.#arriving.delete(key);
  }

  /** Forgets all: the server sends anew what is not held. */
  clear(): void {
    this.#arriving.clear();
  }
}
