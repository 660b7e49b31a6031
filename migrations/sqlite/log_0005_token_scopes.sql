-- The part of its role that a token is narrowed to (words with blanks between; nothing: all of it), and when each was
-- last used. The latter is written at most once a minute, so it is not a fact of the log.
ALTER TABLE access_tokens ADD COLUMN scopes TEXT;
CREATE TABLE token_uses (
  token_id BLOB PRIMARY KEY,
  used_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
