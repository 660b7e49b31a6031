-- Whose turn it is: jobs wait in the line of their integration, and of jobs as urgent as each other the one with the lowest
-- turn goes first. And the highest turn that was served, so that a new line begins beside the others and not before them.
ALTER TABLE jobs ADD COLUMN line TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN turn BIGINT NOT NULL DEFAULT 0;
DROP INDEX jobs_due;
CREATE INDEX jobs_turn ON jobs (state, priority, turn, line, kind, key);
CREATE INDEX jobs_line ON jobs (line, priority, turn);
CREATE TABLE job_turns (
  priority BIGINT PRIMARY KEY,
  served BIGINT NOT NULL
);
INSERT INTO job_turns (priority, served) VALUES (0, 0), (1, 0), (2, 0);
