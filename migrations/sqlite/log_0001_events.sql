-- The log and the tables of truth that change with it. One row is the head: the point through which all appends go.
CREATE TABLE log_head (
  id INTEGER PRIMARY KEY CHECK (id = 0),
  position INTEGER NOT NULL,
  recorded_at INTEGER NOT NULL,
  epoch INTEGER NOT NULL
) STRICT;
INSERT INTO log_head (id, position, recorded_at, epoch) VALUES (0, 0, 0, 0);

CREATE TABLE events (
  global_position INTEGER PRIMARY KEY,
  aggregate_type TEXT NOT NULL,
  aggregate_id TEXT NOT NULL,
  sequence INTEGER NOT NULL CHECK (sequence >= 1),
  event_type TEXT NOT NULL,
  event_version TEXT NOT NULL,
  payload TEXT NOT NULL,
  metadata TEXT NOT NULL,
  event_id TEXT NOT NULL,
  recorded_at INTEGER NOT NULL,
  leaf_hash BLOB NOT NULL CHECK (length(leaf_hash) = 32)
) STRICT;
CREATE UNIQUE INDEX events_stream ON events (aggregate_type, aggregate_id, sequence);
CREATE UNIQUE INDEX events_event_id ON events (event_id);

CREATE TRIGGER events_are_not_changed BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER events_are_not_deleted BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;

CREATE TABLE command_log (
  scope TEXT NOT NULL,
  idempotency_key TEXT NOT NULL,
  request_hash BLOB NOT NULL,
  aggregate_type TEXT NOT NULL,
  aggregate_id TEXT NOT NULL,
  sequence INTEGER NOT NULL,
  first_position INTEGER NOT NULL,
  last_position INTEGER NOT NULL,
  recorded_at INTEGER NOT NULL,
  PRIMARY KEY (scope, idempotency_key)
) STRICT, WITHOUT ROWID;
CREATE INDEX command_log_recorded_at ON command_log (recorded_at);

CREATE TABLE claims (
  scope TEXT NOT NULL,
  claim_key TEXT NOT NULL,
  aggregate_type TEXT NOT NULL,
  aggregate_id TEXT NOT NULL,
  PRIMARY KEY (scope, claim_key)
) STRICT, WITHOUT ROWID;
