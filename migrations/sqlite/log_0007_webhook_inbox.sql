-- What git services delivered: on disk before they are answered, worked off afterwards, kept for a week. `receipt` begins
-- with the time. Two apps may be sent the same delivery id, so it counts within an integration. And up to when the list of
-- deliveries that a service keeps was compared with what came.
CREATE TABLE webhook_inbox (
  receipt BLOB PRIMARY KEY,
  integration BLOB NOT NULL,
  delivery BLOB NOT NULL,
  event TEXT NOT NULL,
  action TEXT,
  origin TEXT NOT NULL,
  headers TEXT NOT NULL,
  body BLOB NOT NULL,
  body_bytes INTEGER NOT NULL,
  received_at INTEGER NOT NULL,
  state TEXT NOT NULL,
  outcome TEXT,
  ended_at INTEGER,
  tries INTEGER NOT NULL,
  due_at INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  owner TEXT
) STRICT;
CREATE UNIQUE INDEX webhook_inbox_delivery ON webhook_inbox (integration, delivery);
CREATE INDEX webhook_inbox_due ON webhook_inbox (state, due_at, receipt);
CREATE INDEX webhook_inbox_list ON webhook_inbox (integration, receipt);
CREATE INDEX webhook_inbox_age ON webhook_inbox (received_at);

CREATE TABLE webhook_listings (
  integration BLOB PRIMARY KEY,
  listed_to INTEGER NOT NULL
) STRICT;
