-- Which node looks after which part of the repositories. On the embedded store there is one node, and nobody asks.
CREATE TABLE poll_nodes (
  node TEXT COLLATE "C" PRIMARY KEY,
  lease_until BIGINT NOT NULL
);
CREATE TABLE poll_shards (
  shard BIGINT PRIMARY KEY,
  owner TEXT COLLATE "C",
  lease_until BIGINT NOT NULL
);
WITH RECURSIVE shards (shard) AS (SELECT 0 UNION ALL SELECT shard + 1 FROM shards WHERE shard < 63)
INSERT INTO poll_shards (shard, owner, lease_until) SELECT shard, NULL, 0 FROM shards;
