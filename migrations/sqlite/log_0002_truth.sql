-- Secrets (sealed), people, access tokens, jobs, and how far the reactors are.
CREATE TABLE data_keys (
  key_id BLOB PRIMARY KEY,
  root_key_check BLOB NOT NULL,
  wrapped BLOB NOT NULL,
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE secrets (
  secret_ref BLOB PRIMARY KEY,
  owner_kind TEXT NOT NULL,
  owner_id BLOB NOT NULL,
  field TEXT NOT NULL,
  key_id BLOB NOT NULL,
  sealed BLOB NOT NULL,
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX secrets_owner ON secrets (owner_kind, owner_id, field, secret_ref);

CREATE TABLE people (
  person_id BLOB PRIMARY KEY,
  name TEXT,
  email TEXT,
  forgotten_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE access_tokens (
  token_id BLOB PRIMARY KEY,
  token_hash BLOB NOT NULL,
  name TEXT NOT NULL,
  role TEXT NOT NULL,
  expires_at INTEGER NOT NULL,
  revoked_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX access_tokens_hash ON access_tokens (token_hash);

CREATE TABLE jobs (
  kind TEXT NOT NULL,
  key TEXT NOT NULL,
  state TEXT NOT NULL,
  priority INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  run_after INTEGER NOT NULL,
  owner TEXT,
  epoch INTEGER NOT NULL,
  lease_until INTEGER NOT NULL,
  cancelled INTEGER NOT NULL,
  again INTEGER NOT NULL,
  caused_by INTEGER NOT NULL,
  progress TEXT,
  last_error TEXT,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX jobs_due ON jobs (state, run_after, priority, kind, key);

CREATE TABLE reactor_checkpoints (
  name TEXT PRIMARY KEY,
  position INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  owner TEXT,
  lease_until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
