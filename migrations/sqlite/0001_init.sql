-- The catalog in SQLite.
--
-- Conventions: times are microseconds since 1970 in UTC; digests are 16 bytes; texts that may be long are LZ4 blocks
-- with their length in front. Numbers of entities, providers and relation types come from one table, `refs`.
-- Hot tables hold small rows, so that a steady state writes little; big texts stand in tables of their own and are
-- written only when they change.

-- Every text that others point at: canonical refs as they are, providers as `::provider:<name>`, relation types as
-- `::type:<type>`. No canonical ref starts with a colon.
CREATE TABLE refs (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    entity_ref TEXT NOT NULL UNIQUE
);

-- Entities as they were handed over.
CREATE TABLE refresh_state (
    id           INTEGER PRIMARY KEY,
    uid          BLOB NOT NULL UNIQUE,
    digest       BLOB NOT NULL,
    location_key TEXT,
    unprocessed  BLOB NOT NULL
);

-- When entities are due. `wish` grows whenever something makes the entity due: a run that was under way at that
-- moment must not push the due time away. `result_digest` is that of the last run; `fingerprint` is that of the last
-- good run's processors, and null where a full run is needed.
CREATE TABLE schedule (
    id             INTEGER PRIMARY KEY REFERENCES refresh_state (id) ON DELETE CASCADE,
    next_update_at INTEGER,
    lane           INTEGER NOT NULL,
    wish           INTEGER NOT NULL,
    result_digest  BLOB,
    fingerprint    BLOB
);
CREATE INDEX schedule_due ON schedule (lane, next_update_at) WHERE next_update_at IS NOT NULL;

-- What processors remember between runs.
CREATE TABLE caches (
    id   INTEGER PRIMARY KEY REFERENCES refresh_state (id) ON DELETE CASCADE,
    ttl  INTEGER NOT NULL,
    json BLOB NOT NULL
);

-- Processed entities, with the places where the final entity's additions go.
CREATE TABLE bodies (
    id              INTEGER PRIMARY KEY REFERENCES refresh_state (id) ON DELETE CASCADE,
    digest          BLOB NOT NULL,
    metadata_end    INTEGER NOT NULL,
    annotations_end INTEGER NOT NULL,
    own_etag        INTEGER NOT NULL,
    json            BLOB NOT NULL
);

-- The rest of the last good run: the relations and refresh keys that it emitted, in packed form, and what stitching
-- needs of the body. Stitching need not touch the big rows, then.
CREATE TABLE results (
    id           INTEGER PRIMARY KEY REFERENCES refresh_state (id) ON DELETE CASCADE,
    body_digest  BLOB NOT NULL,
    relations    BLOB NOT NULL,
    refresh_keys BLOB NOT NULL,
    status       TEXT
);

-- Who handed an entity over: parents and providers. A refused edge belongs to a source that wants to hand the entity
-- over, and may not because of another one's location key.
CREATE TABLE edges (
    source   INTEGER NOT NULL,
    target   INTEGER NOT NULL,
    refused  INTEGER NOT NULL,
    grp      INTEGER NOT NULL,
    document INTEGER,
    line     INTEGER,
    PRIMARY KEY (source, target)
) WITHOUT ROWID;
CREATE INDEX edges_target ON edges (target, refused);

-- Entities to which no edge leads that is not refused.
CREATE TABLE orphans (
    id INTEGER PRIMARY KEY REFERENCES refresh_state (id) ON DELETE CASCADE
);

-- Relations that start at another entity than the one that emitted them. The others need no index: they stand in
-- their own entity's `results`.
CREATE TABLE peer_relations (
    source     INTEGER NOT NULL,
    type       INTEGER NOT NULL,
    target     INTEGER NOT NULL,
    originator INTEGER NOT NULL,
    PRIMARY KEY (source, type, target, originator)
) WITHOUT ROWID;

-- Refresh keys by the first 64 bits of their BLAKE3 hash. A clash makes an entity due once too often.
CREATE TABLE refresh_keys (
    key INTEGER NOT NULL,
    id  INTEGER NOT NULL,
    PRIMARY KEY (key, id)
) WITHOUT ROWID;

-- Errors that exist now. `key` tells the errors of one owner apart, `position` is their order.
CREATE TABLE errors (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    owner         INTEGER NOT NULL,
    category      INTEGER NOT NULL,
    key           BLOB NOT NULL,
    position      INTEGER NOT NULL,
    error         TEXT NOT NULL,
    location      TEXT,
    document      INTEGER,
    line          INTEGER,
    "column"      INTEGER,
    pointer       TEXT,
    rule          TEXT,
    digest        BLOB NOT NULL,
    first_seen_at INTEGER NOT NULL,
    last_seen_at  INTEGER NOT NULL,
    count         INTEGER NOT NULL,
    UNIQUE (owner, category, key)
);
CREATE INDEX errors_location ON errors (location);

-- What stitching adds to a body. The final entity's text is put together when it is read, out of this row and the
-- body's.
CREATE TABLE final_entities (
    id        INTEGER PRIMARY KEY REFERENCES refresh_state (id) ON DELETE CASCADE,
    uid       BLOB NOT NULL,
    etag      TEXT NOT NULL,
    is_orphan INTEGER NOT NULL,
    relations BLOB NOT NULL,
    status    TEXT
);

-- Refs whose final entity must be made again, lowest rank first.
CREATE TABLE stitch_queue (
    id   INTEGER PRIMARY KEY,
    rank INTEGER NOT NULL
);
CREATE INDEX stitch_queue_rank ON stitch_queue (rank);

-- What happened to final entities: kind 0 is new or other content, kind 1 is gone.
CREATE TABLE change_log (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    id       INTEGER NOT NULL,
    kind     INTEGER NOT NULL
);

-- Locations registered through the API.
CREATE TABLE locations (
    id     TEXT PRIMARY KEY,
    type   TEXT NOT NULL,
    target TEXT NOT NULL,
    entity INTEGER NOT NULL,
    UNIQUE (type, target)
) WITHOUT ROWID;
CREATE INDEX locations_entity ON locations (entity);

-- Numbers of the store itself.
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO meta (key, value) VALUES ('relations', 0), ('changes_trimmed_to', 0);
