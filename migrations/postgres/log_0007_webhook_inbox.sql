-- What git services delivered: on disk before they are answered, worked off afterwards, kept for a week. `receipt` begins
-- with the time. Two apps may be sent the same delivery id, so it counts within an integration. And up to when the list of
-- deliveries that a service keeps was compared with what came.
CREATE TABLE webhook_inbox (
  receipt BYTEA PRIMARY KEY,
  integration BYTEA NOT NULL,
  delivery BYTEA NOT NULL,
  event TEXT COLLATE "C" NOT NULL,
  action TEXT COLLATE "C",
  origin TEXT COLLATE "C" NOT NULL,
  headers TEXT COLLATE "C" NOT NULL,
  body BYTEA NOT NULL,
  body_bytes BIGINT NOT NULL,
  received_at BIGINT NOT NULL,
  state TEXT COLLATE "C" NOT NULL,
  outcome TEXT COLLATE "C",
  ended_at BIGINT,
  tries BIGINT NOT NULL,
  due_at BIGINT NOT NULL,
  epoch BIGINT NOT NULL,
  owner TEXT COLLATE "C"
);
CREATE UNIQUE INDEX webhook_inbox_delivery ON webhook_inbox (integration, delivery);
CREATE INDEX webhook_inbox_due ON webhook_inbox (state, due_at, receipt);
CREATE INDEX webhook_inbox_list ON webhook_inbox (integration, receipt);
CREATE INDEX webhook_inbox_age ON webhook_inbox (received_at);

CREATE TABLE webhook_listings (
  integration BYTEA PRIMARY KEY,
  listed_to BIGINT NOT NULL
);
