-- What each node finds in the folder with private keys of its own account, where one is named: the fingerprints of those that can be
-- used, a line each, and why the folder cannot be read. No fact: each node writes it anew when it differs.
CREATE TABLE ssh_key_folders (
  node TEXT COLLATE "C" PRIMARY KEY,
  trouble TEXT,
  fingerprints TEXT NOT NULL
);
