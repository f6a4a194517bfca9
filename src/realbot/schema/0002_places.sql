-- What front-ends keep of cards and buttons, what people and servers have settled, and which server a job came from.

ALTER TABLE jobs ADD COLUMN server TEXT GENERATED ALWAYS AS (
    CASE WHEN coalesce(json_extract(origin, '$.server'), '') = '' THEN ''
    ELSE platform || ':' || json_extract(origin, '$.server') END) VIRTUAL;

-- Among whom the pictures may answer a later request. What was made before this column stays with its person.
ALTER TABLE jobs ADD COLUMN scope TEXT NOT NULL DEFAULT 'user' CHECK (scope IN ('user', 'server', 'everyone'));

CREATE INDEX jobs_server ON jobs (server, created) WHERE server <> '';
CREATE INDEX jobs_user ON jobs (user_key);

ALTER TABLE scores ADD COLUMN server TEXT NOT NULL DEFAULT '';

-- Keys the hashes that stand for people who had everything of theirs deleted; no verb may change it.
INSERT INTO meta VALUES ('pepper', lower(hex(randomblob(32))));

-- Where a job is shown.
CREATE TABLE cards (
    job TEXT PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
    message TEXT NOT NULL,
    posted REAL NOT NULL,
    extra TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(extra))
) STRICT, WITHOUT ROWID;

-- What a button stands for. `uses` is 0 for one that may be pressed any number of times.
CREATE TABLE actions (
    id TEXT PRIMARY KEY,
    verb TEXT NOT NULL,
    job TEXT REFERENCES jobs (id) ON DELETE CASCADE,
    owner TEXT,
    n INTEGER NOT NULL,
    detail TEXT NOT NULL,
    place TEXT NOT NULL,
    expires REAL NOT NULL,
    uses INTEGER NOT NULL,
    used INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE INDEX actions_job ON actions (job);
CREATE INDEX actions_owner ON actions (owner);
CREATE INDEX actions_expires ON actions (expires);

-- A person's own defaults.
CREATE TABLE preferences (
    user_key TEXT PRIMARY KEY,
    value TEXT NOT NULL CHECK (json_valid(value))
) STRICT, WITHOUT ROWID;

-- What the administrators of a server or channel have settled, and who changed it when. '*' is everywhere.
CREATE TABLE places (
    key TEXT PRIMARY KEY,
    rules TEXT NOT NULL CHECK (json_valid(rules))
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at REAL NOT NULL,
    key TEXT NOT NULL,
    author TEXT NOT NULL,
    change TEXT NOT NULL CHECK (json_valid(change))
) STRICT;

CREATE INDEX audit_key ON audit (key, seq);
CREATE INDEX audit_author ON audit (author);
