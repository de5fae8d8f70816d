/**
 * A pattern of paths as a regular expression: `*` and `?` within a name, `**` over folders, `{a,b}` for either. A pattern without a slash fits names in any folder, as in
 * .gitignore.
 */
export function globExpression(pattern: string): RegExp {
  const whole = pattern.includes("/") ? pattern.replace(/^\.?\//, "") : `**/${pattern}`;
  let source = "";
  let depth = 0;
  for (let at = 0; at < whole.length; at += 1) {
    const character = whole[at]!;
    if (whole.startsWith("**/", at)) {
      source += "(?:.*/)?";
      at += 2;
    } else if (whole.startsWith("**", at)) {
      source += ".*";
      at += 1;
    } else if (character === "*") source += "[^/]*";
    else if (character === "?") source += "[^/]";
    else if (character === "{") {
      source += "(?:";
      depth += 1;
    } else if (character === "}" && depth > 0) {
      source += ")";
      depth -= 1;
    } else if (character === "," && depth > 0) source += "|";
    else source += character.replace(/[\\^$.|+()[\]{}]/, "\\$&");
  }
  return new RegExp(`^${source}${")".repeat(depth)}$`);
}
