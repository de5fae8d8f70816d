/** A snapshot that cannot be used: it is half written or damaged, of another log, or of a version of Runlane that is newer than this one. */
export class SnapshotUnreadable extends Error {
  override readonly name = "SnapshotUnreadable";
}
