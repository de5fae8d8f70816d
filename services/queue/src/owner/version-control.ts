import type { Version } from "@runlane/platform/gen/runlane/v1/version_service_pb.js";
import { decidePromote } from "../engine/decide-version.js";
import { versionMessageOf } from "../engine/view.js";
import { concernsVersions } from "./concerns.js";
import type { FlowControlOptions } from "./flow-control.js";
import { versionNotFound } from "./not-found.js";

/** Shows the versions of a partition's environments, and says which one runs start on. */
export class VersionControl {
  readonly #options: Omit<FlowControlOptions, "find">;

  constructor(options: Omit<FlowControlOptions, "find">) {
    this.#options = options;
  }

  /** The versions of an environment that are older than `before`, `limit` at most, the newest first. */
  async list(environmentName: string, before: string, limit: number): Promise<Version[]> {
    const { volatile, commit } = this.#options;
    const environment = this.#options.environment(environmentName);
    const records = [...environment.versions.byNumber.values()].reverse();
    const from = before === "" ? 0 : records.findIndex(({ version }) => version === before) + 1;
    const messages = records.slice(from, from + limit).map((record) => versionMessageOf(volatile, environment, record));
    await commit.settled(concernsVersions);
    return messages;
  }

  /** Makes a version current. @throws ConnectError VERSION_NOT_FOUND */
  async promote(environmentName: string, version: string): Promise<Version> {
    const { volatile, commit, admit } = this.#options;
    admit();
    const environment = this.#options.environment(environmentName);
    const record = environment.versions.byNumber.get(version);
    if (!record) throw versionNotFound(version);
    const message = commit.decide(64, (step) => {
      decidePromote(step, environment, record);
      return versionMessageOf(volatile, environment, record);
    });
    await commit.settled();
    return message;
  }
}
