// Set-up of every test file. Vitest's `vi.waitFor` gives up after a second unless told otherwise, which on a busy machine says nothing about what is waited for. A
// generous limit costs nothing when the condition comes. `expect.poll` has its limit from vitest.config.ts.
import { vi } from "vitest";

/** Milliseconds; below the limit of a test, so that the condition is what fails. */
const patienceMs = 20_000;

const { waitFor } = vi;
vi.waitFor = (callback, options = {}) => waitFor(callback, { timeout: patienceMs, ...(typeof options === "number" ? { timeout: options } : options) });
