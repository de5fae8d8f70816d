import { expectTypeOf, test } from "vitest";
import { type Task, type TaskOutput, type TaskPayload, task, tasks } from "../index.js";
import type { TaskRunContext } from "../runtime/task-run-context.js";

// The definitions are what is tested; `tsc` judges them. None of them is executed.
const define = (_: () => unknown) => {};

test("hooks after run know payload, output and what init returned", () => {
  define(() => {
    const made = task({
      id: "after",
      init: async ({ ctx }) => ({ db: ctx.run.id }),
      run: async (payload: { url: string }, { ctx, init, signal }) => {
        expectTypeOf(ctx).toEqualTypeOf<TaskRunContext>();
        expectTypeOf(signal).toEqualTypeOf<AbortSignal>();
        expectTypeOf(init).toEqualTypeOf<{ db: string }>();
        return { bytes: payload.url.length };
      },
      onStart: async ({ payload, init, task: id }) => {
        expectTypeOf(payload).toEqualTypeOf<{ url: string }>();
        expectTypeOf(init).toEqualTypeOf<{ db: string } | undefined>();
        expectTypeOf(id).toEqualTypeOf<string>();
      },
      onSuccess: ({ payload, output, init }) => {
        expectTypeOf(payload).toEqualTypeOf<{ url: string }>();
        expectTypeOf(output).toEqualTypeOf<{ bytes: number }>();
        expectTypeOf(init).toEqualTypeOf<{ db: string } | undefined>();
        // @ts-expect-error: the payload has no such field
        payload.uri;
      },
      onComplete: ({ result }) => {
        expectTypeOf(result).toEqualTypeOf<{ ok: true; data: { bytes: number } } | { ok: false; error: unknown }>();
      },
      onCancel: async ({ runPromise }) => {
        expectTypeOf(await runPromise).toEqualTypeOf<{ bytes: number }>();
      },
      onError: ({ payload, error }) => {
        expectTypeOf(payload).toEqualTypeOf<{ url: string }>();
        expectTypeOf(error).toEqualTypeOf<unknown>();
      },
      onFailure: ({ error }) => {
        expectTypeOf(error).toEqualTypeOf<unknown>();
      },
      catchError: ({ payload, retryAt, retryDelayInMs }) => {
        expectTypeOf(payload).toEqualTypeOf<{ url: string }>();
        expectTypeOf(retryAt).toEqualTypeOf<Date | undefined>();
        expectTypeOf(retryDelayInMs).toEqualTypeOf<number | undefined>();
        return { retryDelayInMs: 1_000, error: "another" };
      },
      middleware: async ({ payload, next }) => {
        expectTypeOf(payload).toEqualTypeOf<{ url: string }>();
        await next();
      },
      cleanup: async ({ init }) => {
        expectTypeOf(init).toEqualTypeOf<{ db: string } | undefined>();
      },
    });
    expectTypeOf(made).toEqualTypeOf<Task<"after", { url: string }, { bytes: number }>>();
  });
});

test("hooks before run leave the task's types as they are, where Trigger.dev's become void", () => {
  define(() => {
    const made = task({
      id: "before",
      onStart: async ({ payload }) => {
        expectTypeOf(payload).toBeAny();
      },
      onSuccess: ({ output }) => {
        expectTypeOf(output).toBeAny();
      },
      run: async (payload: { url: string }, { ctx }) => ({ bytes: payload.url.length, run: ctx.run.id }),
      onFailure: async ({ payload }) => {
        expectTypeOf(payload).toEqualTypeOf<{ url: string }>();
      },
    });
    expectTypeOf<TaskPayload<typeof made>>().toEqualTypeOf<{ url: string }>();
    expectTypeOf<TaskOutput<typeof made>>().toEqualTypeOf<{ bytes: number; run: string }>();
    // @ts-expect-error: the payload has no such field
    void made.trigger({ uri: "u" });
  });
});

test("a hook before run knows the payload, too, if run takes nothing else", () => {
  define(() =>
    task({
      id: "early",
      onStart: ({ payload }) => {
        expectTypeOf(payload).toEqualTypeOf<{ url: string }>();
      },
      run: async (payload: { url: string }) => payload.url,
    }));
});

test("a task with hooks may have no payload, and name its types", () => {
  define(() => {
    const tick = task({ id: "tick", onStart: () => {}, run: async () => {}, onSuccess: () => {} });
    void tick.trigger();
    const named = task<"named", { a: number }, string>({ id: "named", onStart: () => {}, run: async ({ a }, { init }) => `${a} ${init.any}` });
    expectTypeOf(named).toEqualTypeOf<Task<"named", { a: number }, string>>();
  });
});

test("what a hook says of its parameters is checked", () => {
  define(() =>
    task({
      id: "wrong",
      run: async (payload: { url: string }, { ctx }) => payload.url + ctx.run.id,
      // @ts-expect-error: the payload is another
      onStart: async ({ payload }: { payload: { uri: string } }) => void payload.uri,
    }));
  define(() =>
    task({
      id: "wrong",
      run: async (payload: { url: string }) => payload.url,
      // @ts-expect-error: a decision has no such field
      catchError: () => ({ retryLater: true }),
    }));
});

test("hooks for all tasks may have a name, and know nothing of the payload", () => {
  define(() => {
    tasks.onStart(({ payload, ctx }) => {
      expectTypeOf(payload).toEqualTypeOf<unknown>();
      expectTypeOf(ctx).toEqualTypeOf<TaskRunContext>();
    });
    tasks.onSuccess("log", async ({ output }) => {
      expectTypeOf(output).toEqualTypeOf<unknown>();
    });
    tasks.middleware("db", async ({ next }) => {
      expectTypeOf(next).toEqualTypeOf<() => Promise<void>>();
      await next();
    });
    tasks.catchError(({ error }) => (error instanceof RangeError ? { skipRetrying: true } : undefined));
    // @ts-expect-error: a hook is needed
    tasks.onFailure("name alone");
  });
});
