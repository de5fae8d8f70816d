/** How long a batch may take items. */
export const sealMs = 30 * 60_000;
/** How long a batch is known after its end. */
export const retentionMs = 7 * 24 * 3_600_000;

/** A batch. */
export interface BatchModel {
  readonly number: number;
  readonly createMs: number;
  /** Its idempotency key; empty for none. */
  readonly key: string;
  /** Its runs, by index, and how each was answered. */
  readonly items: { readonly run: number; readonly cached: boolean; readonly untriggered: boolean }[];
  state: "open" | "sealed" | "aborted";
  /** When it was sealed or aborted. */
  closeMs: number;
}
