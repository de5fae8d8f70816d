// What the simulation in test/ drives: the engine, and the state of a log as plain data. Nothing else leaves this room.
export { apply } from "../engine/apply.js";
export { decideCancel } from "../engine/decide-cancel.js";
export { decideClosed, decideFrame } from "../engine/decide-frame.js";
export { decideHello } from "../engine/decide-hello.js";
export { decideTick, nextDue } from "../engine/decide-tick.js";
export { decideTrigger, forEachOutcome } from "../engine/decide-trigger.js";
export { decidePromote } from "../engine/decide-version.js";
export { createDurable, type Durable } from "../engine/durable.js";
export { tellResult } from "../engine/effects.js";
export type { Environment } from "../engine/environment.js";
export { environmentCreated } from "../engine/events.js";
export { Outbox } from "../engine/outbox.js";
export { phases } from "../engine/phase.js";
export { place } from "../engine/place.js";
export { emit, type Step } from "../engine/step.js";
export { type Connection, createVolatile, type Volatile } from "../engine/volatile.js";
export { addSubscriber } from "../owner/interest.js";
export { pictureOf } from "./durable-picture.js";
