/** Rows as a table for people, under a head. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]!.length)));
  return [head, ...rows]
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** Values under their labels for people, a line each; what is empty is left out. */
export function labelled(rows: readonly (readonly [label: string, value: string])[], width = 10): string {
  return rows
    .filter(([, value]) => value !== "")
    .map(([label, value]) => `${label.padEnd(width)}${value.replaceAll("\n", `\n${" ".repeat(width)}`)}`)
    .join("\n");
}
