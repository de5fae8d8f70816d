import { afterEach, beforeEach } from "vitest";
import { defaultClient } from "../client/runlane-client.js";
import { configure } from "../index.js";
import { FakeRunService } from "./fake-run-service.js";
import type { FakeServer } from "./fake-server.js";

/** The server of a test that {@link serveRuns} has started. */
export interface ServedRuns {
  /** Ends it, as it would be for a client whose server goes away. */
  stop(): Promise<void>;
  /** Starts it again, at the same address. */
  start(): Promise<void>;
}

/** Gives each test of a file a FakeRunService of its own, to which the SDK is configured. `use` takes it before it is served. */
export function serveRuns(use: (service: FakeRunService) => void): ServedRuns {
  let service: FakeRunService;
  let server: FakeServer;
  beforeEach(async () => {
    service = new FakeRunService();
    use(service);
    server = await service.start();
    configure({ baseURL: server.address, secretKey: "rl_dev_test" });
  });
  afterEach(async () => {
    defaultClient().close();
    configure({});
    await server.stop();
  });
  return {
    stop: () => server.stop(),
    async start() {
      server = await service.start(server.port);
    },
  };
}
