-- Which builds of which views there are, and how far each is. The views' own tables are made by their builds.
CREATE TABLE view_builds (
  view TEXT COLLATE "C" NOT NULL,
  build BIGINT NOT NULL,
  version BIGINT NOT NULL,
  status TEXT COLLATE "C" NOT NULL,
  position BIGINT NOT NULL,
  epoch BIGINT NOT NULL,
  owner TEXT COLLATE "C",
  lease_until BIGINT NOT NULL,
  error TEXT COLLATE "C",
  PRIMARY KEY (view, build)
) WITH (fillfactor = 50);
