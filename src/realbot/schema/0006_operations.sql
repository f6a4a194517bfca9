-- Limits by the hour, the month and the engine's seconds; bans; what pictures show and what became of it; how pictures
-- are found again.

-- Seconds of the engine that a request took, and until it is painted those that are expected.
ALTER TABLE charges ADD COLUMN seconds REAL NOT NULL DEFAULT 0;

DROP INDEX charges_user;
CREATE INDEX charges_user ON charges (user_key, at, pictures, seconds);
CREATE INDEX jobs_line_server ON jobs (server) WHERE state IN ('accepted', 'running');

-- Until when a server's administrators have handed back what a person had asked for; it counts against what they
-- settled themselves no longer.
CREATE TABLE forgiven (
    user_key TEXT NOT NULL,
    place TEXT NOT NULL,
    at REAL NOT NULL,
    PRIMARY KEY (user_key, place)
) STRICT, WITHOUT ROWID;

-- Who may not ask, in a server ("discord:123") or everywhere ("*"). `subject` is a person's key or, once they had
-- everything deleted, the keyed hash that stands for it. A ban holds for each account that its person had: `via` names
-- the one that was banned, empty for that one itself. `until` is a Unix time, NULL for good.
CREATE TABLE bans (
    subject TEXT NOT NULL,
    place TEXT NOT NULL,
    via TEXT NOT NULL DEFAULT '',
    name TEXT NOT NULL DEFAULT '',
    reason TEXT NOT NULL DEFAULT '',
    author TEXT NOT NULL DEFAULT '',
    at REAL NOT NULL,
    until REAL,
    PRIMARY KEY (subject, place)
) STRICT, WITHOUT ROWID;

-- What a classifier found in a picture, 0 harmless to 1. It belongs to the picture; thresholds are settings.
CREATE TABLE checked (
    image TEXT PRIMARY KEY,
    checker TEXT NOT NULL,
    score REAL NOT NULL,
    at REAL NOT NULL
) STRICT, WITHOUT ROWID;

-- Nothing is known of a picture that is in no job any more, nor was brought lately.
CREATE TRIGGER pictures_checked AFTER DELETE ON pictures
WHEN NOT EXISTS (SELECT 1 FROM pictures WHERE image = OLD.image)
    AND NOT EXISTS (SELECT 1 FROM brought WHERE image = OLD.image)
BEGIN
    DELETE FROM checked WHERE image = OLD.image;
END;
CREATE TRIGGER brought_checked AFTER DELETE ON brought
WHEN NOT EXISTS (SELECT 1 FROM pictures WHERE image = OLD.image)
    AND NOT EXISTS (SELECT 1 FROM brought WHERE image = OLD.image)
BEGIN
    DELETE FROM checked WHERE image = OLD.image;
END;

-- Jobs whose pictures were not shown, and what moderators decided when their owner asked for another look.
CREATE TABLE withheld (
    job TEXT PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
    reason TEXT NOT NULL,
    at REAL NOT NULL,
    appealed REAL,
    decision TEXT NOT NULL DEFAULT '' CHECK (decision IN ('', 'released', 'upheld')),
    author TEXT NOT NULL DEFAULT '',
    decided REAL
) STRICT, WITHOUT ROWID;

-- A 64-bit perceptual hash of each picture that was painted, by which a copy is recognised that was scaled or encoded
-- anew. A number is never given twice: the hashes are searched in memory, where deleted ones stay until the next start.
CREATE TABLE likeness (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    image TEXT NOT NULL UNIQUE,
    hash INTEGER NOT NULL
) STRICT;

CREATE TRIGGER pictures_likeness AFTER DELETE ON pictures
WHEN NOT EXISTS (SELECT 1 FROM pictures WHERE image = OLD.image AND role = 'result')
BEGIN
    DELETE FROM likeness WHERE image = OLD.image;
END;

-- What a job's words mean, as 16-bit floats; made when the extra for it is installed.
CREATE TABLE meanings (
    job INTEGER PRIMARY KEY REFERENCES jobs (seq) ON DELETE CASCADE,
    vector BLOB NOT NULL
) STRICT;

-- How much was painted in an hour by jobs that are deleted by now, so that the numbers of a server stay right. Nobody is
-- named in it.
CREATE TABLE tallied (
    server TEXT NOT NULL,
    hour INTEGER NOT NULL,
    pictures INTEGER NOT NULL,
    answers INTEGER NOT NULL,
    waited REAL NOT NULL,
    PRIMARY KEY (server, hour)
) STRICT, WITHOUT ROWID;
