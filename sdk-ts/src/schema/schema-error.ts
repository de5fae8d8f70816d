import type { SchemaIssue } from "./task-schema.js";

/** A value that a schema refuses whose library has no error of its own to throw, as valibot's schemas. */
export class SchemaError extends Error {
  override readonly name = "SchemaError";
  /** Everything that the schema has against the value; the message is of the first. */
  readonly issues: readonly SchemaIssue[];

  constructor(issues: readonly SchemaIssue[]) {
    const [first] = issues;
    const path = first?.path?.map((step) => String(typeof step === "object" ? step.key : step)).join(".");
    super(`${path ? `${path}: ` : ""}${first?.message ?? "the schema refuses the value"}`);
    this.issues = issues;
  }
}
