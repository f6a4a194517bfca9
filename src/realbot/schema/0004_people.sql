-- Which accounts are one person's. An account that is linked with no other has no row.
CREATE TABLE people (
    user_key TEXT PRIMARY KEY,
    person TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX people_person ON people (person);

-- The codes by which accounts are linked, as keyed hashes.
CREATE TABLE codes (
    user_key TEXT PRIMARY KEY,
    hash TEXT NOT NULL UNIQUE,
    expires REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX codes_expires ON codes (expires);

-- A picture counts under every account that its person has when it is asked for, so that neither unlinking nor deleting
-- hands out a second quota.
CREATE TABLE counted (
    job TEXT NOT NULL,
    user_key TEXT NOT NULL,
    at REAL NOT NULL,
    pictures INTEGER NOT NULL,
    PRIMARY KEY (job, user_key)
) STRICT, WITHOUT ROWID;

INSERT INTO counted SELECT job, user_key, at, pictures FROM charges;
DROP TABLE charges;
ALTER TABLE counted RENAME TO charges;

CREATE INDEX charges_user ON charges (user_key, at, pictures);
CREATE INDEX charges_at ON charges (at);
