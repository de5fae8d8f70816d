// A client as users write it, in a process of its own: `node steady-client.mjs <file> <per second>`. It triggers tasks at a steady rate, whether earlier triggers were answered
// or not, and whether the server is there or not. For each acknowledgement it appends a line to the file, `<payload id> <run id> <triggered at> <acknowledged at>`, times in
// milliseconds of the Unix epoch. When as many triggers are unanswered as are made in half a second, it waits until some are: a program that goes on for ever runs out of something.
// On SIGTERM it triggers nothing new, waits for all answers, and ends; what it says then is {"triggered", "refused"} in JSON.
import { openSync, writeSync } from "node:fs";
import { tasks } from "@runlane/sdk";

const [, , file = "", perSecond] = process.argv;
const rate = Number(perSecond);
const acknowledgements = openSync(file, "a");
const mostUnanswered = rate / 2;
const refused = [];
let lastTick = performance.now();
let due = 0;
let triggered = 0;
let unanswered = 0;
let stopped = false;

// Most do nothing but start and end; one of twenty is on its way for up to a second, and so, often, while the server is killed.
function next(number) {
  const id = `t${number}`;
  if (number % 200 === 199) return ["one-by-one", { id, milliseconds: 3 }];
  if (number % 100 === 50) return ["family", { id, milliseconds: number % 150 }];
  return ["work", { id, milliseconds: number % 20 === 1 ? (number * 7) % 1_000 : 0 }];
}

function trigger(number) {
  const [taskId, payload] = next(number);
  const triggeredAt = Date.now();
  unanswered += 1;
  tasks
    .trigger(taskId, payload)
    .then(
      ({ id }) => writeSync(acknowledgements, `${payload.id} ${id} ${triggeredAt} ${Date.now()}\n`),
      (error) => refused.push(`${payload.id} after ${Date.now() - triggeredAt} ms: ${error}`),
    )
    .finally(() => {
      unanswered -= 1;
      if (stopped && unanswered === 0) end();
    });
}

function tick() {
  const now = performance.now();
  due += ((now - lastTick) / 1_000) * rate;
  lastTick = now;
  for (; due >= 1; due--) if (unanswered < mostUnanswered) trigger(triggered++);
}

function end() {
  process.stdout.write(JSON.stringify({ triggered, refused: refused.slice(0, 5) }), () => process.exit(0));
}

const timer = setInterval(tick, 5);
process.on("SIGTERM", () => {
  if (stopped) return;
  stopped = true;
  clearInterval(timer);
  if (unanswered === 0) end();
});
