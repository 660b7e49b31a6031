-- Which part of the repositories a job belongs to: the node that has that part does it; nothing when any node may. And when
-- a job was put back: a pause that began later than now was written before the clock was put back.
ALTER TABLE jobs ADD COLUMN shard BIGINT;
ALTER TABLE jobs ADD COLUMN noted_at BIGINT NOT NULL DEFAULT 0;
