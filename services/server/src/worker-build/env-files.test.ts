import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { temporaryProject } from "../testing/temporary-project.js";
import { developmentEnvFiles, developmentVariables, readEnvFile } from "./env-files.js";
import { WorkerBuildError } from "./worker-build-error.js";

const variables = (files: Record<string, string>, present: NodeJS.ProcessEnv = {}, envFile?: string) => {
  const folder = temporaryProject(files);
  return developmentVariables(developmentEnvFiles(folder, envFile, folder), present);
};

describe("variables for development", () => {
  test("come from five files, the more special one before the other, and dev.vars last", () => {
    const names = ["A", "B", "C", "D", "E"];
    const files = ["dev.vars", ".env", ".env.development", ".env.local", ".env.development.local"];
    // Each file has one variable less than the one before.
    const contents = files.map((file, index) => [
      file,
      names
        .slice(index)
        .map((name) => `${name}=${file}\n`)
        .join(""),
    ]);
    expect(variables(Object.fromEntries(contents))).toEqual({
      A: "dev.vars",
      B: ".env",
      C: ".env.development",
      D: ".env.local",
      E: ".env.development.local",
    });
  });

  test("do not change what the environment has, be it empty", () => {
    expect(variables({ ".env": "A=file\nB=file\nC=file\n" }, { A: "shell", B: "" })).toEqual({ C: "file" });
  });

  test("leave out where the server is, and its key", () => {
    expect(variables({ ".env": "TRIGGER_SECRET_KEY=tr_dev_x\nTRIGGER_API_URL=http://x\nRUNLANE_SECRET_KEY=x\nOTHER=1\n" })).toEqual({ OTHER: "1" });
  });

  test("come from one file only, if that is named", () => {
    expect(variables({ ".env": "A=1\n", "other.env": "B=2\n" }, {}, "other.env")).toEqual({ B: "2" });
  });

  test("are none if there is no file", () => {
    expect(variables({ "package.json": "{}" })).toEqual({});
  });
});

test("a file has lines as Node reads them: comments, quotes, several lines", () => {
  const folder = temporaryProject({ "my.env": `# words\nPLAIN=one two # aside\nexport QUOTED="a # b"\nLINES="x\ny"\nEMPTY=\n` });
  expect(readEnvFile(join(folder, "my.env"))).toEqual({ PLAIN: "one two", QUOTED: "a # b", LINES: "x\ny", EMPTY: "" });
});

test("a file that is named and not there is an error", () => {
  expect(() => readEnvFile("/nowhere/my.env")).toThrow(WorkerBuildError);
});
