import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Files that take ten seconds and more, the longest first. Any other may be added, or left out: this decides nothing but the time that all of them take together. */
const slow = [
  "test/dev.test.ts",
  "test/limits.test.ts",
  "test/survival/lease.test.ts",
  "test/nats-away.test.ts",
  "test/large-payloads.test.ts",
  "test/start.test.ts",
  "test/packages/installed.test.ts",
  "test/other-languages/clients.test.ts",
  "test/runs.test.ts",
  "test/command-line.test.ts",
  "test/browser.test.ts",
  "test/tls.test.ts",
  "test/history.test.ts",
  "test/http.test.ts",
  "sdk-ts/src/worker/limits.test.ts",
  "sdk-ts/src/worker/supervisor.test.ts",
  "sdk-ts/src/worker/runner.test.ts",
  "services/server/src/worker-build/build-worker.test.ts",
  "sdk-ts/src/worker/launcher.test.ts",
  "services/platform/src/log/jetstream-log.test.ts",
];

/** Starts the slow files first, so that none of them is still at work when all others have ended. Vitest would go by the size of files, which says little. */
export class SlowFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const index = slow.findIndex((path) => moduleId.endsWith(`/${path}`));
      return index < 0 ? slow.length : index;
    };
    return (await super.sort(files)).sort((one, other) => rank(one) - rank(other));
  }
}
