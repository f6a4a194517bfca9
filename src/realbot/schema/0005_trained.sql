-- Styles that people have trained: whose each is, and with whom it is shared. Until its training is over, a row reserves
-- the name. A style outlives the job that it was trained by.
CREATE TABLE trained (
    name TEXT PRIMARY KEY,
    job TEXT NOT NULL,
    user_key TEXT NOT NULL,
    made REAL NOT NULL,
    sha256 TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;

CREATE INDEX trained_user ON trained (user_key);

-- `place` is the key of a server, or '*' for everywhere.
CREATE TABLE shared (
    name TEXT NOT NULL REFERENCES trained (name) ON DELETE CASCADE,
    place TEXT NOT NULL,
    PRIMARY KEY (name, place)
) STRICT, WITHOUT ROWID;

-- Pictures that people brought and that no request names yet, so that a question about one outlives a restart.
CREATE TABLE brought (
    user_key TEXT NOT NULL,
    image TEXT NOT NULL,
    at REAL NOT NULL,
    PRIMARY KEY (user_key, image)
) STRICT, WITHOUT ROWID;

CREATE INDEX brought_at ON brought (at);
