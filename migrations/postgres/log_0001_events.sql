-- The log and the tables of truth that change with it. One row is the head: the point through which all appends go.
CREATE TABLE log_head (
  id SMALLINT PRIMARY KEY CHECK (id = 0),
  position BIGINT NOT NULL,
  recorded_at BIGINT NOT NULL,
  epoch BIGINT NOT NULL
) WITH (fillfactor = 10);
INSERT INTO log_head (id, position, recorded_at, epoch) VALUES (0, 0, 0, 0);

CREATE TABLE events (
  global_position BIGINT PRIMARY KEY,
  aggregate_type TEXT COLLATE "C" NOT NULL,
  aggregate_id TEXT COLLATE "C" NOT NULL,
  sequence BIGINT NOT NULL CHECK (sequence >= 1),
  event_type TEXT COLLATE "C" NOT NULL,
  event_version TEXT COLLATE "C" NOT NULL,
  payload JSON NOT NULL,
  metadata JSON NOT NULL,
  event_id TEXT COLLATE "C" NOT NULL,
  recorded_at BIGINT NOT NULL,
  leaf_hash BYTEA NOT NULL CHECK (octet_length(leaf_hash) = 32)
);
CREATE UNIQUE INDEX events_stream ON events (aggregate_type, aggregate_id, sequence);
CREATE UNIQUE INDEX events_event_id ON events (event_id);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the log is append-only'; END $$;
CREATE TRIGGER events_are_not_changed BEFORE UPDATE OR DELETE ON events
FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER events_are_not_truncated BEFORE TRUNCATE ON events
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE command_log (
  scope TEXT COLLATE "C" NOT NULL,
  idempotency_key TEXT COLLATE "C" NOT NULL,
  request_hash BYTEA NOT NULL,
  aggregate_type TEXT COLLATE "C" NOT NULL,
  aggregate_id TEXT COLLATE "C" NOT NULL,
  sequence BIGINT NOT NULL,
  first_position BIGINT NOT NULL,
  last_position BIGINT NOT NULL,
  recorded_at BIGINT NOT NULL,
  PRIMARY KEY (scope, idempotency_key)
);
CREATE INDEX command_log_recorded_at ON command_log (recorded_at);

CREATE TABLE claims (
  scope TEXT COLLATE "C" NOT NULL,
  claim_key TEXT COLLATE "C" NOT NULL,
  aggregate_type TEXT COLLATE "C" NOT NULL,
  aggregate_id TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (scope, claim_key)
);
