import { type DescMessage, type MessageShape, toBinary } from "@bufbuild/protobuf";
import {
  type ConcurrencyLimitDeclaration,
  type QueueDeclaration,
  QueueDeclarationSchema,
  type TaskDeclaration,
  TaskDeclarationSchema,
} from "@runlane/platform/gen/runlane/v1/worker_service_pb.js";
import type { Environment } from "./environment.js";
import { queuesDeclared, tasksDeclared } from "./events.js";
import { emit, type Step } from "./step.js";
import { startsRuns } from "./version-record.js";
import type { Declarations } from "./volatile.js";

/**
 * Takes what a version declares, where it is news. What the current version says of a task, queue or limit counts; what others say only of those that it has never declared: there the newest
 * of those that start runs. So a worker of an older version that comes back changes nothing.
 */
export function decideDeclarations(step: Step, environment: Environment, version: string, { tasks, queues, limits }: Declarations): void {
  const counting = tasks.filter(({ id }) => counts(environment, version, environment.tasks.get(id)?.version));
  const news = counting.some((task) => {
    const before = environment.tasks.get(task.id);
    // Who declared it last decides who may declare it next.
    return before?.version !== version || !same(TaskDeclarationSchema, before.declaration, task);
  });
  if (news) emit(step, tasksDeclared(environment.name, version, counting as TaskDeclaration[]));
  const newQueues = queues.filter((queue) => isNewQueue(environment, version, queue));
  const newLimits = limits.filter((limit) => isNewLimit(environment, version, limit));
  if (newQueues.length > 0 || newLimits.length > 0) emit(step, queuesDeclared(environment.name, version, newQueues, newLimits));
}

function isNewQueue(environment: Environment, version: string, declaration: QueueDeclaration): boolean {
  const before = environment.queues.get(declaration.name);
  if (!before?.declaration) return true;
  if (!counts(environment, version, before.version)) return false;
  return before.version !== version || !same(QueueDeclarationSchema, before.declaration, declaration);
}

function isNewLimit(environment: Environment, version: string, { name, perKey, total }: ConcurrencyLimitDeclaration): boolean {
  const before = environment.flow.limits.get(name);
  if (!before?.declared) return true;
  if (!counts(environment, version, before.version)) return false;
  return before.version !== version || before.perKey.base !== perKey || before.total.base !== total;
}

/** Whether what a version says counts where `before` spoke last. */
function counts(environment: Environment, version: string, before: string | undefined): boolean {
  const { byNumber, current } = environment.versions;
  if (before === undefined || version === current?.version) return true;
  if (before === current?.version || !startsRuns(environment, version)) return false;
  return (byNumber.get(version)?.index ?? 0) >= (byNumber.get(before)?.index ?? 0) || !startsRuns(environment, before);
}

function same<Desc extends DescMessage>(schema: Desc, a: MessageShape<Desc>, b: MessageShape<Desc>): boolean {
  const [left, right] = [toBinary(schema, a), toBinary(schema, b)];
  return left.length === right.length && left.every((byte, i) => byte === right[i]);
}
