import { defineConfig } from "@runlane/sdk";

export default defineConfig({
  project: "examples",
  dirs: ["./trigger"],
});
