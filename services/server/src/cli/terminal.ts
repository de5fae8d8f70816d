/** Where the command writes to. Results go to standard output, everything else to standard error, so that results can be piped on. */
export interface Terminal {
  /** One line, or several, of the result. */
  result(text: string): void;
  /** One line, or several, for the person who watches. */
  note(text: string): void;
}
