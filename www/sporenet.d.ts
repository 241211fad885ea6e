/** How durable a write is before it is acknowledged: on this node, or on one other relay too. */
export type Ack = 'local' | 'relay';

/** What a refused call is rejected with. */
export interface MeshError extends Error {
  /**
   * A stable word: `bad_namespace`, `bad_key`, `bad_value`, `bad_element`, `bad_field`, `bad_ack`, `bad_link`, `bad_name`,
   * `bad_zone`, `bad_note`, `bad_setting`, `reserved`, `not_found`, `over`, `value_too_large`, `full`, `busy`, `not_replicated`, `key_ahead`, `other_kind`, `too_many`, `part_too_long`,
   * `key_reserved`, `not_writable`,
   * `no_network`, `other_network`, `not_admitted`, `invite_expired`, `invite_used`, `invite_role`,
   * `wrong_network`, `wrong_key`, `wrong_epoch`, `not_known`, `namespaces_full`, `watched`, `fenced`,
   * `damaged`, `config`, `starting`, `not_running`, `crashed`, `closed`.
   */
  code: string;
}

/** A concurrent write that lost, kept for people. */
export interface Conflict {
  /** What it said; `null` if it was a deletion. */
  value: Uint8Array | null;
  /** The same as text, if it is UTF-8. */
  text: string | null;
  /** Who wrote it: 64 hexadecimal digits. */
  author: string;
  /** When, in milliseconds since 1970. */
  writtenAt: number;
}

/** What a key holds. */
export type Kind = 'register' | 'multi' | 'counter' | 'set' | 'map' | 'flag';

/** One of several values that stand side by side, with where it came from. */
export type Version = Conflict;

/** A field of a map. */
export interface Field {
  value: Uint8Array;
  /** The same as text, if it is UTF-8. */
  text: string | null;
  /** Who wrote it: 64 hexadecimal digits. */
  author: string;
  /** When, in milliseconds since 1970. */
  writtenAt: number;
  /** How many concurrent writes of it lost. */
  conflicts: number;
}

/** What a key of a type holds: a counter, a set, a map, a flag, values side by side; `null` for a register. */
export type Content = number | string[] | Map<string, Field> | boolean | Version[] | null;

/** A value and where it came from. */
export interface Entry {
  key: string;
  /** `null` in a watch when the key was deleted. */
  value: Uint8Array | null;
  /** The same as text, if it is UTF-8. */
  text: string | null;
  /** Who wrote it: 64 hexadecimal digits. */
  author: string;
  /** When, in milliseconds since 1970. */
  writtenAt: number;
  /** Concurrent writes that lost, newest first. */
  conflicts: Conflict[];
  /** What the key holds. */
  type: Kind;
  /** The value by its type; `value` and `text` are the same for people. Of a set or map at most 1000. */
  content: Content;
  /** How many elements or fields there are; `null` for other types. */
  total: number | null;
  /** What else the key holds, if several types were begun at once. */
  also: Kind[];
}

export type Role = 'relay' | 'tab';
export type State = 'alive' | 'suspect' | 'dead' | 'left' | 'parked';
export type Verdict = 'healthy' | 'degraded' | 'isolated' | 'fenced' | 'joining' | 'leaving';

/** One member as this node sees it; unknown is `null`. */
export interface Member {
  id: string;
  name: string;
  role: Role;
  state: State;
  incarnation: number;
  zone: string | null;
  place: { latitude: number; longitude: number; estimated: boolean } | null;
  addresses: string[];
  rtt_ms: number | null;
  last_heard_ms: number | null;
  reason: string | null;
  since_ms: number;
  homes: string[];
  this_node: boolean;
  linked: boolean;
}

/** The node in one view. */
export interface Status {
  id: string;
  name: string;
  network: string;
  version: string;
  role: Role;
  incarnation: number;
  verdict: Verdict;
  reasons: string[];
  mode: string;
  members: Record<State, number>;
  kv: { keys: number; batches: number };
  uptime_s: number;
  /** How far this clock is ahead of its peers' (negative: behind); `null` without a peer to compare with. */
  clock_ahead_ms: number | null;
}

export type Severity = 'low' | 'medium' | 'high' | 'critical';
export type Standing = 'pending' | 'firing' | 'acknowledged' | 'resolved';

/** One time in which something was beyond a rule's threshold; moments are milliseconds since 1970. */
export interface Alert {
  id: string;
  rule: string;
  severity: Severity;
  state: Standing;
  node: string;
  node_name: string;
  peer: string | null;
  peer_name: string | null;
  metric: string;
  value: number | null;
  threshold: number | null;
  unit: string;
  since_ms: number;
  ended_ms: number | null;
  /** Why it ended; `node_down`: its node is dead, so nobody knows the value. */
  ending: 'by_itself' | 'by_hand' | 'node_down' | null;
  acknowledged_by: string | null;
  acknowledged_ms: number | null;
  note: string | null;
  silenced_until_ms: number | null;
  incident: string | null;
  text: string;
}

/** Alerts with one cause. */
export interface Incident {
  id: string;
  title: string;
  severity: Severity;
  state: Standing;
  cause: string;
  causes: { code: string; text: string; percent: number }[];
  next_step: string;
  nodes: string[];
  alerts: string[];
  since_ms: number;
  ended_ms: number | null;
  acknowledged_by: string | null;
  note: string | null;
  notified: {
    channel: string;
    step: number | null;
    by: string;
    at_ms: number;
    ok: boolean | null;
    error: string | null;
  }[];
}

/** A setting that all nodes follow. */
export interface Setting {
  key: string;
  meaning: string;
  value: string;
  default: string;
  version: number;
  changed_by: string | null;
  changed_ms: number | null;
}

export interface JoinOptions {
  /** The node's name, for people. */
  name?: string;
  /** Its failure domain. */
  zone?: string;
  /** How long to wait to be let in, in milliseconds; 30000 if absent. */
  timeout?: number;
}

export interface WatchOptions {
  /** Only keys that start so. */
  prefix?: string;
  /** Called if the watch is refused. */
  onError?: (error: MeshError) => void;
}

export interface WriteOptions {
  /** When the call resolves; `'local'` if absent. */
  ack?: Ack;
}

/** Follows one typed value. */
export interface Followed<T> {
  /**
   * Calls back with the value, if there is one, and after every change; with nothing of its type once it is deleted.
   * Answers a function that ends it.
   */
  onChange(callback: (value: T) => void, options?: { onError?: (error: MeshError) => void }): () => void;
}

/** A number that is added to. Two additions at once both count. */
export interface MeshCounter extends Followed<number> {
  /** Adds a whole number; less than zero takes away. */
  add(by: number | bigint, options?: WriteOptions): Promise<void>;
  /** What was added in all; exact up to 2^53. */
  value(): Promise<number>;
}

/** A set of texts. Who adds an element wins over who removes it at the same time. */
export interface MeshSet extends Followed<string[]> {
  /** Puts at most 64 elements in, all or none. */
  add(...elements: [string, ...(string | WriteOptions)[]]): Promise<void>;
  /** Takes at most 64 elements out, all or none. */
  remove(...elements: [string, ...(string | WriteOptions)[]]): Promise<void>;
  /** All elements, in order. */
  elements(): Promise<string[]>;
  has(element: string): Promise<boolean>;
}

/** Values by name: each field is a value of its own. */
export interface MeshMap extends Followed<Map<string, Field>> {
  put(field: string, value: string | Uint8Array, options?: WriteOptions): Promise<void>;
  delete(field: string, options?: WriteOptions): Promise<void>;
  /** A field, or `null`. */
  get(field: string): Promise<Field | null>;
  /** All fields by name, in order. */
  entries(): Promise<Map<string, Field>>;
}

/** On or off. On wins over off at the same time. */
export interface MeshFlag extends Followed<boolean> {
  on(options?: WriteOptions): Promise<void>;
  off(options?: WriteOptions): Promise<void>;
  value(): Promise<boolean>;
}

/** A value of which those written at once stand side by side. */
export interface MeshMulti extends Followed<Version[]> {
  /** Writes a value in place of all that were seen here. */
  put(value: string | Uint8Array, options?: WriteOptions): Promise<void>;
  /** The values, the newest first. */
  values(): Promise<Version[]>;
}

/** A node of the mesh, running in a worker of this page. */
export interface Mesh {
  /** Writes a value: text as UTF-8, or bytes; at most 256 KiB. */
  put(namespace: string, key: string, value: string | Uint8Array, options?: { ack?: Ack }): Promise<void>;
  /** Deletes a key. */
  delete(namespace: string, key: string, options?: { ack?: Ack }): Promise<void>;
  /**
   * Reads a value, or `null` if there is none. Opens the namespace and waits up to 2 s until a relay has given
   * it; refused with `not_known` if none has and nothing is held.
   */
  get(namespace: string, key: string): Promise<Entry | null>;
  /** Calls back with every present entry, then with every change. Answers a function that ends it. */
  watch(namespace: string, options: WatchOptions, callback: (entry: Entry) => void): () => void;
  watch(namespace: string, callback: (entry: Entry) => void): () => void;
  /** The counter at a key; its first change begins it. So it is with the others. */
  counter(namespace: string, key: string): MeshCounter;
  /** The set at a key. */
  set(namespace: string, key: string): MeshSet;
  /** The map at a key. */
  map(namespace: string, key: string): MeshMap;
  /** The flag at a key. */
  flag(namespace: string, key: string): MeshFlag;
  /** The values that stand side by side at a key. */
  multi(namespace: string, key: string): MeshMulti;
  /** Stops following a namespace that is not watched. What is stored stays. */
  close(namespace: string): Promise<void>;
  /** All members, worst first. */
  members(): Promise<Member[]>;
  /** This node in one view. */
  status(): Promise<Status>;
  /** What is wrong, the newest first; what is over too if `all`. */
  alerts(all?: boolean): Promise<Alert[]>;
  /** The same by cause. */
  incidents(all?: boolean): Promise<Incident[]>;
  /** Says that somebody looks after an alert or incident. */
  acknowledge(id: string, note?: string): Promise<void>;
  /** Takes an alert or incident for over. */
  resolve(id: string, note?: string): Promise<void>;
  /** The settings of the mesh. */
  settings(): Promise<Setting[]>;
  /** Changes a setting on all nodes; `null` sets it back to the default. */
  setSetting(name: string, value: string | null, note?: string): Promise<void>;
  /** Leaves the mesh and stops the node. */
  leave(): Promise<void>;
}

/**
 * Starts a node in a worker of this page and joins the mesh: with a join link, or with the identity that
 * this browser keeps for the page's origin.
 */
export function join(link?: string, options?: JoinOptions): Promise<Mesh>;
