import { expect, test } from "vitest";
import { parseServerAddress } from "./server-address.js";

test.each([
  ["http://127.0.0.1:7400", "127.0.0.1:7400", false, true],
  ["https://runlane.example.com", "runlane.example.com:443", true, false],
  ["https://Runlane.example.com:8443/", "runlane.example.com:8443", true, false],
  ["http://host", "host:80", false, false],
  ["http://[::1]:7400", "[::1]:7400", false, true],
  ["http://localhost:1", "localhost:1", false, true],
  ["http://127.evil.example:1", "127.evil.example:1", false, false],
])("%s", (text, authority, secure, loopback) => {
  expect(parseServerAddress(text)).toMatchObject({ authority, secure, loopback });
});

test.each(["127.0.0.1:7400", "grpc://host", "http://", "http://host:0", "http://host:70000", "http://host/path", "http://user@host", ""])(
  "refuses %j",
  (text) => {
    expect(() => parseServerAddress(text)).toThrow("is not the address of a Runlane server");
  },
);
