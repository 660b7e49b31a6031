-- Which builds of which views there are, and how far each is. The views' own tables are made by their builds.
CREATE TABLE view_builds (
  view TEXT NOT NULL,
  build INTEGER NOT NULL,
  version INTEGER NOT NULL,
  status TEXT NOT NULL,
  position INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  owner TEXT,
  lease_until INTEGER NOT NULL,
  error TEXT,
  PRIMARY KEY (view, build)
) STRICT, WITHOUT ROWID;
