/** A row of the audit log, as far as streams tell of it. */
export interface RecordedEvent {
  /** Its place: rows are read in this order, which is that of their commits. */
  readonly seq: number;
  /** Its id, the `jti` of what is told. */
  readonly id: string;
  readonly at: number;
  /** The name in the log. */
  readonly event: string;
  readonly outcome: string;
  readonly userId: string | null;
  readonly sessionId: string | null;
  readonly actor: 'user' | 'admin' | 'system';
  readonly factor: string | null;
  readonly reason: string | null;
}

export interface RecordedEvents {
  /** At most `limit` rows after a place, in order. */
  after(seq: number, limit: number): Promise<readonly RecordedEvent[]>;
  /** The place of the last row; 0 without any. */
  last(): Promise<number>;
}
