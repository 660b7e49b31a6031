-- Which node looks after which part of the repositories. On the embedded store there is one node, and nobody asks.
CREATE TABLE poll_nodes (
  node TEXT PRIMARY KEY,
  lease_until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE poll_shards (
  shard INTEGER PRIMARY KEY,
  owner TEXT,
  lease_until INTEGER NOT NULL
) STRICT;
WITH RECURSIVE shards (shard) AS (SELECT 0 UNION ALL SELECT shard + 1 FROM shards WHERE shard < 63)
INSERT INTO poll_shards (shard, owner, lease_until) SELECT shard, NULL, 0 FROM shards;
