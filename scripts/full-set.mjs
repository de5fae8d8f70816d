// Installs what the full set of tests needs beside Node, npm and a way to nats-server, with Debian's packages if they are there.
import { command } from "./command.mjs";
import { checkNode } from "./ready.mjs";

/** Programs, by the Debian package that has them. */
const needed = { strace: "strace", python3: "python3", pip3: "python3-pip", chromium: "chromium", curl: "curl", openssl: "openssl" };

checkNode();
const missing = [];
for (const [program, debianPackage] of Object.entries(needed)) {
  if ((await command("which", [program])).code !== 0) missing.push(debianPackage);
}
if (missing.length > 0) {
  console.log(`Installing ${missing.join(", ")}…`);
  await command("apt-get", ["update", "-qq"], { show: true });
  const { code } = await command("apt-get", ["install", "-qq", "-y", "--no-install-recommends", ...missing], { show: true });
  if (code !== 0) console.log(`Could not install ${missing.join(", ")}; the tests will name what they skip.`);
}
