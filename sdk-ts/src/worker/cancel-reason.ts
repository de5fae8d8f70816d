/** Reason of the signal of a cancelled run; Trigger.dev's words. Attempts that are stopped for other reasons call no `onCancel` hooks. */
export const cancelReason = "run cancelled";
