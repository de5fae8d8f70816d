const form = /^[A-Za-z0-9_\-./:]{1,128}$/;

/** The rule for names of tasks, queues and concurrency limits. */
export const nameRule = 'must be 1 to 128 characters of letters, digits and "_-./:"';

/** Whether text can be the name of a task, a queue or a concurrency limit. */
export function isName(text: string): boolean {
  return form.test(text);
}
