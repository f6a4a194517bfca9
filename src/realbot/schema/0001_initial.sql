-- Order comes from jobs.seq, never from a clock. CHECK constraints let the start-up integrity check see damaged content.

CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Two rows that no verb may touch: who this database is, and how many commits it has seen.
INSERT INTO meta VALUES ('identity', lower(hex(randomblob(16))));
INSERT INTO meta VALUES ('commits', '0');

CREATE TABLE jobs (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    platform TEXT NOT NULL,
    user_key TEXT NOT NULL CHECK (user_key LIKE platform || ':%'),
    user_name TEXT NOT NULL,
    request TEXT NOT NULL CHECK (json_valid(request)),
    prompt TEXT NOT NULL,
    origin TEXT NOT NULL CHECK (json_valid(origin)),
    dedup TEXT,
    asked_key TEXT,
    key TEXT,
    fingerprint TEXT NOT NULL DEFAULT '',
    state TEXT NOT NULL CHECK (state IN (
        'accepted', 'running', 'produced', 'delivering', 'delivered', 'cancelled', 'failed', 'quarantined', 'kept')),
    attempt INTEGER NOT NULL DEFAULT 0,
    deaths INTEGER NOT NULL DEFAULT 0,
    created REAL NOT NULL,
    started REAL,
    finished REAL,
    seconds REAL NOT NULL DEFAULT 0,
    stages TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(stages)),
    notes TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(notes)),
    error TEXT NOT NULL DEFAULT '',
    detail TEXT NOT NULL DEFAULT '',
    cached INTEGER NOT NULL DEFAULT 0 CHECK (cached IN (0, 1)),
    favourite INTEGER NOT NULL DEFAULT 0 CHECK (favourite IN (0, 1)),
    shown INTEGER NOT NULL DEFAULT 0 CHECK (shown IN (0, 1))
) STRICT;

CREATE UNIQUE INDEX jobs_dedup ON jobs (user_key, dedup) WHERE dedup IS NOT NULL;
CREATE INDEX jobs_line ON jobs (seq) WHERE state IN ('accepted', 'running');
CREATE INDEX jobs_line_user ON jobs (user_key) WHERE state IN ('accepted', 'running');
CREATE INDEX jobs_pending ON jobs (platform, seq) WHERE shown = 0;
CREATE INDEX jobs_key ON jobs (key, user_key) WHERE key IS NOT NULL;
CREATE INDEX jobs_asked ON jobs (user_key, asked_key) WHERE key IS NOT NULL AND asked_key IS NOT NULL;
CREATE INDEX jobs_history ON jobs (user_key, seq) WHERE state IN ('produced', 'delivering', 'delivered', 'kept');
CREATE INDEX jobs_favourites ON jobs (user_key, seq) WHERE favourite = 1;
CREATE INDEX jobs_age ON jobs (created);

-- Which picture files a job refers to; a file that no row names may be deleted.
CREATE TABLE pictures (
    job INTEGER NOT NULL REFERENCES jobs (seq) ON DELETE CASCADE,
    role TEXT NOT NULL CHECK (role IN ('result', 'input')),
    n INTEGER NOT NULL,
    image TEXT NOT NULL CHECK (length(image) = 64 AND image NOT GLOB '*[^0-9a-f]*'),
    PRIMARY KEY (job, role, n)
) STRICT, WITHOUT ROWID;

CREATE INDEX pictures_image ON pictures (image);

-- What counts against limits; outlives a deleted history entry, so that deleting is no way around a quota.
CREATE TABLE charges (
    job TEXT PRIMARY KEY,
    user_key TEXT NOT NULL,
    at REAL NOT NULL,
    pictures INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX charges_user ON charges (user_key, at, pictures);
CREATE INDEX charges_at ON charges (at);

CREATE TABLE timings (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at REAL NOT NULL,
    features TEXT NOT NULL CHECK (json_valid(features)),
    stages TEXT NOT NULL CHECK (json_valid(stages))
) STRICT;

CREATE TABLE scores (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at REAL NOT NULL,
    low REAL NOT NULL,
    high REAL NOT NULL,
    actual REAL NOT NULL
) STRICT;

CREATE VIRTUAL TABLE words USING fts5(
    prompt, content = 'jobs', content_rowid = 'seq', tokenize = 'unicode61 remove_diacritics 2');

CREATE TRIGGER jobs_words_insert AFTER INSERT ON jobs BEGIN
    INSERT INTO words (rowid, prompt) VALUES (new.seq, new.prompt);
END;

CREATE TRIGGER jobs_words_delete AFTER DELETE ON jobs BEGIN
    INSERT INTO words (words, rowid, prompt) VALUES ('delete', old.seq, old.prompt);
END;
