-- Which keys of SSH were offered to the host of a repository, and which it took: no fact, and what is lost of it is learnt
-- anew. The rows of a repository with the latest `offered_at` are the latest attempt, in the order of `place`.
CREATE TABLE ssh_key_uses (
  repository BLOB NOT NULL,
  ssh_key BLOB NOT NULL,
  place INTEGER NOT NULL,
  offered_at INTEGER NOT NULL,
  accepted_at INTEGER,
  PRIMARY KEY (repository, ssh_key)
) STRICT;
CREATE INDEX ssh_key_uses_key ON ssh_key_uses (ssh_key, accepted_at);
