-- Secrets (sealed), people, access tokens, jobs, and how far the reactors are.
CREATE TABLE data_keys (
  key_id BYTEA PRIMARY KEY,
  root_key_check BYTEA NOT NULL,
  wrapped BYTEA NOT NULL,
  created_at BIGINT NOT NULL
);

CREATE TABLE secrets (
  secret_ref BYTEA PRIMARY KEY,
  owner_kind TEXT COLLATE "C" NOT NULL,
  owner_id BYTEA NOT NULL,
  field TEXT COLLATE "C" NOT NULL,
  key_id BYTEA NOT NULL,
  sealed BYTEA NOT NULL,
  created_at BIGINT NOT NULL
);
CREATE INDEX secrets_owner ON secrets (owner_kind, owner_id, field, secret_ref);

CREATE TABLE people (
  person_id BYTEA PRIMARY KEY,
  name TEXT COLLATE "C",
  email TEXT COLLATE "C",
  forgotten_at BIGINT
);

CREATE TABLE access_tokens (
  token_id BYTEA PRIMARY KEY,
  token_hash BYTEA NOT NULL,
  name TEXT COLLATE "C" NOT NULL,
  role TEXT COLLATE "C" NOT NULL,
  expires_at BIGINT NOT NULL,
  revoked_at BIGINT
);
CREATE UNIQUE INDEX access_tokens_hash ON access_tokens (token_hash);

CREATE TABLE jobs (
  kind TEXT COLLATE "C" NOT NULL,
  key TEXT COLLATE "C" NOT NULL,
  state TEXT COLLATE "C" NOT NULL,
  priority BIGINT NOT NULL,
  attempts BIGINT NOT NULL,
  run_after BIGINT NOT NULL,
  owner TEXT COLLATE "C",
  epoch BIGINT NOT NULL,
  lease_until BIGINT NOT NULL,
  cancelled BIGINT NOT NULL,
  again BIGINT NOT NULL,
  caused_by BIGINT NOT NULL,
  progress TEXT COLLATE "C",
  last_error TEXT COLLATE "C",
  created_at BIGINT NOT NULL,
  PRIMARY KEY (kind, key)
);
CREATE INDEX jobs_due ON jobs (state, run_after, priority, kind, key);

CREATE TABLE reactor_checkpoints (
  name TEXT COLLATE "C" PRIMARY KEY,
  position BIGINT NOT NULL,
  epoch BIGINT NOT NULL,
  owner TEXT COLLATE "C",
  lease_until BIGINT NOT NULL
);
