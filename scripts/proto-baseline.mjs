// `npm run proto:baseline`: makes the contracts as they stand the ones that later changes must not break. To be run when a version is published.
import { baseline } from "./checks/contracts.mjs";
import { command } from "./command.mjs";

const { code } = await command("buf", ["build", "--exclude-source-info", "--output", baseline], { show: true });
process.exitCode = code;
