import { join } from "node:path";
import type { Answer, Question, Verbs } from "../client/main.js";
import { Program, repository } from "./program.js";

/** A program that uses the SDK as any user's does, and does what it is asked to. */
export class Client {
  readonly program: Program;
  #last = 0;

  constructor(env: Record<string, string>) {
    const script = join(repository, "bench/dist/client/main.js");
    this.program = new Program("the client", script, [], { cwd: repository, env, channel: true });
    // The end of the program is what is noticed; a message that comes too late for it is not.
    this.program.process.on("error", () => {});
  }

  /**
   * Has the program do something.
   *
   * @returns what the verb returns
   * @throws Error if that failed, or the program ended
   */
  async ask<V extends keyof Verbs>(verb: V, ...args: Parameters<Verbs[V]>): Promise<Awaited<ReturnType<Verbs[V]>>> {
    this.#last += 1;
    const question: Question = { id: this.#last, verb, args };
    const answer = new Promise<Answer>((settle) => {
      const listen = (message: Answer) => {
        if (message.id !== question.id) return;
        this.program.process.off("message", listen);
        settle(message);
      };
      this.program.process.on("message", listen);
    });
    this.program.process.send(question, () => {});
    const end = this.program.untimelyEnd();
    end.catch(() => {});
    const { failure, value } = await Promise.race([answer, end]);
    if (failure !== undefined) throw new Error(`the client failed: ${failure}`);
    return value as Awaited<ReturnType<Verbs[V]>>;
  }
}
