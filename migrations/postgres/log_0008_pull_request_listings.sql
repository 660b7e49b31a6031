-- How far the pull requests of a repository were listed at its git service: what is lost of it is listed once more. `number`
-- is the repository's: under another one all of them are listed again. What was changed before `listed_to` is known;
-- `page` is the next one of a pass that did not end, and `reached` the latest change that it saw; `whole_at` is when all of
-- them were last looked at.
CREATE TABLE pull_request_listings (
  repository BYTEA PRIMARY KEY,
  integration BYTEA NOT NULL,
  number BIGINT NOT NULL,
  listed_to BIGINT,
  page BIGINT NOT NULL,
  reached BIGINT,
  whole_at BIGINT,
  due_at BIGINT NOT NULL
);
CREATE INDEX pull_request_listings_integration ON pull_request_listings (integration, repository);
