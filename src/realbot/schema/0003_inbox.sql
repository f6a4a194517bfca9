-- What a platform tells only once, kept before it is confirmed. What was handled has neither content nor owner any more;
-- its id stays for some days, so that a replay is recognised.
CREATE TABLE inbox (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    post TEXT NOT NULL,
    id INTEGER NOT NULL,
    owner TEXT NOT NULL,
    data TEXT CHECK (data IS NULL OR json_valid(data)),
    at REAL NOT NULL,
    opened REAL,
    CHECK ((data IS NULL) = (opened IS NOT NULL))
) STRICT;

CREATE UNIQUE INDEX inbox_id ON inbox (post, id);
CREATE INDEX inbox_unopened ON inbox (post, seq) WHERE opened IS NULL;
CREATE INDEX inbox_opened ON inbox (opened) WHERE opened IS NOT NULL;
CREATE INDEX inbox_owner ON inbox (owner) WHERE owner <> '';
