"""The SQL of the stores in PostgreSQL, on one page: the tables, and one statement for each call.

What belongs here: text. `{s}` stands for the schema, and `%(again)s` says whether an attempt before this one may have been carried
out without our hearing of it. A statement that could not tell then whether it wrote recognises its own values.

A name is any text, so it is stored as bytes, and found by its SHA-256: an index holds no key of more than 2,700 bytes. Times of
leases and calls are the server's. Times of records are their writers', in microseconds since 1970.
"""

from typing import Final

__all__ = [
    "ACCOUNTS",
    "ADD_RECORDS",
    "ADD_TRACES",
    "ANNOUNCE",
    "APPLICATION",
    "BEGIN",
    "BELIEVE",
    "CANCEL_MOVE",
    "CHECK",
    "CLOCK",
    "DELETE_TOKENS",
    "DUE",
    "ENDED",
    "END_MOVE",
    "EVERY_ACCOUNT",
    "FACTS",
    "FORGET_LEASES",
    "FOUND_TRACES",
    "HAS_SCHEMA",
    "HEAD",
    "HOLD_MOVE",
    "HOLD_SLOTS",
    "INSERT_TOKENS",
    "IN_THE_WAY",
    "LEARN",
    "LEARNED",
    "LEAVE_SLOTS",
    "LOAD_RECORD",
    "LOAD_TOKENS",
    "LOCK",
    "MARK",
    "MOVE_STATE",
    "OF_POST",
    "PACE",
    "READ_BACK",
    "RECORDS",
    "RELEASE",
    "REMARK",
    "REMOVE",
    "REPLACE_RECORD",
    "REPLACE_TOKENS",
    "SAVE_RECORD",
    "SEE",
    "SEEN",
    "TABLES",
    "TAKE_SLOT",
    "TRACE",
    "TRY_LEASE",
    "UNFINISHED",
    "UNREADABLE",
    "VERSION",
    "WALK",
]

HEAD: Final = 512
"""How many bytes of a name an index holds, for searches by the beginning of a name."""

# --- Tables ----------------------------------------------------------------------------------------------------------

APPLICATION: Final = "tiktok-open"
LEASES: Final = """(
    id bytea PRIMARY KEY, owner bytea, until timestamptz NOT NULL, number bigint NOT NULL
)"""
TABLES: Final = (
    "CREATE TABLE {s}.meta (application text NOT NULL, version integer NOT NULL)",
    # It numbers leases and generations. A sequence never goes back, not even if what it numbered is undone or deleted.
    "CREATE SEQUENCE {s}.numbers",
    # `app` is the digest of a client key; empty where tokens are not kept apart.
    """
    CREATE TABLE {s}.tokens (
        id bytea PRIMARY KEY, app text NOT NULL, name bytea NOT NULL, generation bigint NOT NULL, document bytea NOT NULL
    )
    """,
    "CREATE TABLE {s}.token_leases " + LEASES,
    # `due`, `post` (the digest of the publish id), `ended` and `format` (what it takes to read the document) repeat what the
    # document says, for the indexes. `digest` is that of the document.
    """
    CREATE TABLE {s}.records (
        id bytea PRIMARY KEY, name bytea NOT NULL, created bigint NOT NULL, updated bigint NOT NULL, ended boolean NOT NULL,
        due bigint, post bytea, format bytea NOT NULL, digest bytea NOT NULL, document bytea NOT NULL
    )
    """,
    f"CREATE INDEX records_by_name ON {{s}}.records (substr(name, 1, {HEAD}), updated, created)",
    f"CREATE INDEX records_unfinished ON {{s}}.records (substr(name, 1, {HEAD})) WHERE NOT ended",
    f"CREATE INDEX records_due ON {{s}}.records (due, substr(name, 1, {HEAD})) WHERE due IS NOT NULL",
    "CREATE INDEX records_ended ON {s}.records (updated, id) WHERE ended",
    "CREATE INDEX records_by_post ON {s}.records (post) WHERE post IS NOT NULL",
    f"CREATE INDEX records_by_format ON {{s}}.records (format, substr(name, 1, {HEAD}))",
    # A record that somebody changed by hand, and not by a save.
    f"CREATE INDEX records_damaged ON {{s}}.records (substr(name, 1, {HEAD})) WHERE sha256(document) <> digest",
    "CREATE TABLE {s}.record_leases " + LEASES,
    "CREATE TABLE {s}.learned (app bytea PRIMARY KEY, updated bigint NOT NULL, size bigint NOT NULL)",
    "CREATE TABLE {s}.traces (id bytea PRIMARY KEY, document bytea NOT NULL)",
    "CREATE TABLE {s}.seen (at bigint)",
    "INSERT INTO {s}.seen VALUES (NULL)",
    # Homes that were moved here, or begun to be: 'begun', then 'done' or 'cancelled'.
    "CREATE TABLE {s}.moves (id bytea PRIMARY KEY, state text NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp())",
    # The rest may be lost in a crash, so it is not logged: then no call waits for a disk.
    "CREATE UNLOGGED TABLE {s}.pace (id bytea PRIMARY KEY, calls timestamptz[] NOT NULL, pause float8 NOT NULL)",
    """
    CREATE UNLOGGED TABLE {s}.slots (
        ticket bytea PRIMARY KEY, account bytea NOT NULL, queued bigint NOT NULL, turn bigint NOT NULL,
        held boolean NOT NULL, until timestamptz NOT NULL
    )
    """,
)

# --- Opening ---------------------------------------------------------------------------------------------------------

CHECK: Final = """
SELECT current_setting('server_version_num')::integer, pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean,
    current_setting('synchronous_commit') = 'off'
"""
IN_THE_WAY: Final = """
SELECT convert_to(c.relname::text, 'UTF8') FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND c.relname = ANY(%(names)s) ORDER BY c.relname
"""
VERSION: Final = "SELECT version FROM {s}.meta WHERE application = '" + APPLICATION + "'"
FACTS: Final = "SELECT current_setting('server_version'), version FROM {s}.meta"
BEGIN: Final = "BEGIN ISOLATION LEVEL READ COMMITTED"
LOCK: Final = "SELECT pg_advisory_xact_lock(%(lock)s)"
HAS_SCHEMA: Final = "SELECT 1 FROM pg_namespace WHERE nspname = %(schema)s"
MARK: Final = "INSERT INTO {s}.meta (application, version) VALUES ('" + APPLICATION + "', %(version)s)"
REMARK: Final = "UPDATE {s}.meta SET version = %(version)s"
CLOCK: Final = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"

# --- Leases ----------------------------------------------------------------------------------------------------------

# `nextval` stands in SET: there it is drawn under the row's lock, so that a later holder always has a larger number. A lease with
# more left than any can have is from before the server's clock went back.
TRY_LEASE: Final = """
INSERT INTO {s}.{leases} AS held (id, owner, until, number)
VALUES (%(id)s, %(owner)s, clock_timestamp() + make_interval(secs => %(seconds)s), nextval('{s}.numbers'))
ON CONFLICT (id) DO UPDATE SET
    owner = excluded.owner, until = clock_timestamp() + make_interval(secs => %(seconds)s),
    number = CASE WHEN held.owner = excluded.owner THEN held.number ELSE nextval('{s}.numbers') END
WHERE held.owner IS NULL OR held.owner = excluded.owner OR %(by_force)s OR held.until <= clock_timestamp()
    OR held.until > clock_timestamp() + make_interval(secs => %(longest)s)
RETURNING number
"""
RELEASE: Final = "UPDATE {s}.{leases} SET owner = NULL WHERE id = %(id)s AND owner = %(owner)s"

# --- Tokens ----------------------------------------------------------------------------------------------------------

LOAD_TOKENS: Final = """
SELECT generation, CASE WHEN octet_length(document) <= %(largest)s THEN document END FROM {s}.tokens WHERE id = %(id)s
"""
OWN_TOKENS: Final = "SELECT generation FROM {s}.tokens WHERE %(again)s AND id = %(id)s AND document = %(document)s"
REPLACE_TOKENS: Final = (
    """
WITH saved AS (
    UPDATE {s}.tokens SET document = %(document)s, generation = nextval('{s}.numbers')
    WHERE id = %(id)s AND generation = %(seen)s::numeric RETURNING generation
)
SELECT generation FROM saved UNION ALL """
    + OWN_TOKENS
)
INSERT_TOKENS: Final = (
    """
WITH saved AS (
    INSERT INTO {s}.tokens (id, app, name, generation, document)
    VALUES (%(id)s, %(app)s, %(name)s, nextval('{s}.numbers'), %(document)s) ON CONFLICT DO NOTHING RETURNING generation
)
SELECT generation FROM saved UNION ALL """
    + OWN_TOKENS
)
DELETE_TOKENS: Final = """
DELETE FROM {s}.tokens WHERE id = %(id)s AND (%(seen)s::numeric IS NULL OR generation = %(seen)s::numeric)
"""
ACCOUNTS: Final = "SELECT name FROM {s}.tokens WHERE app = %(app)s"

EVERY_ACCOUNT: Final = "SELECT app, name FROM {s}.tokens ORDER BY app, name"

# --- Records ---------------------------------------------------------------------------------------------------------

TAUGHT: Final = """
taught AS (
    INSERT INTO {s}.learned AS known (app, updated, size)
    SELECT %(app)s, %(updated)s, %(size)s::bigint FROM saved WHERE %(size)s::bigint IS NOT NULL
    ON CONFLICT (app) DO UPDATE SET updated = excluded.updated, size = excluded.size
    WHERE (excluded.updated, excluded.size) > (known.updated, known.size)
)
"""
# The lock on the lease's row: nobody takes the lease between the look at its number and the commit.
SAVE_RECORD: Final = (
    """
WITH fenced AS (
    SELECT FROM {s}.record_leases WHERE id = %(id)s AND number = %(fence)s::numeric FOR UPDATE
), saved AS (
    INSERT INTO {s}.records (id, name, created, updated, ended, due, post, format, digest, document)
    SELECT %(id)s, %(name)s, %(created)s, %(updated)s, %(ended)s, %(due)s::bigint, %(post)s::bytea, %(format)s,
        %(digest)s, %(document)s
    WHERE %(fence)s::numeric IS NULL OR EXISTS (SELECT FROM fenced)
    ON CONFLICT (id) DO UPDATE SET created = excluded.created, updated = excluded.updated, ended = excluded.ended,
        due = excluded.due, post = excluded.post, format = excluded.format, digest = excluded.digest,
        document = excluded.document
    RETURNING id
), """
    + TAUGHT
    + "SELECT id FROM saved"
)
REPLACE_RECORD: Final = (
    """
WITH saved AS (
    UPDATE {s}.records SET created = %(created)s, updated = %(updated)s, ended = %(ended)s, due = %(due)s::bigint,
        post = %(post)s::bytea, format = %(format)s, digest = %(digest)s, document = %(document)s
    WHERE id = %(id)s AND sha256(document) = %(seen)s RETURNING id
), """
    + TAUGHT
    + """
SELECT id FROM saved UNION ALL SELECT id FROM {s}.records WHERE %(again)s AND id = %(id)s AND digest = %(digest)s
"""
)
LOAD_RECORD: Final = """
SELECT name, digest, document, (SELECT document FROM {s}.traces WHERE id = %(id)s) FROM {s}.records WHERE id = %(id)s
"""
UNDER: Final = f"""
substr(name, 1, {HEAD}) >= %(first)s AND (%(beyond)s::bytea IS NULL OR substr(name, 1, {HEAD}) < %(beyond)s)
AND substr(name, 1, octet_length(%(under)s)) = %(under)s
"""
RECORDS: Final = (
    "SELECT name, digest, document FROM {s}.records WHERE (%(since)s::bigint IS NULL OR updated >= %(since)s::bigint)"
    " AND (%(until)s::bigint IS NULL OR created <= %(until)s::bigint) AND " + UNDER + "ORDER BY created, name"
)
UNFINISHED: Final = (
    "SELECT name, digest, document FROM {s}.records WHERE NOT ended AND " + UNDER + "ORDER BY created, name"
)  # fmt: skip
DUE: Final = (
    "SELECT name, digest, document FROM {s}.records WHERE due <= %(due)s AND " + UNDER + "ORDER BY created, name"
)  # fmt: skip
OF_POST: Final = (
    "SELECT name, digest, document FROM {s}.records WHERE post = %(post)s AND " + UNDER + "ORDER BY created, name"
)
WALK: Final = "SELECT id, name, digest, document FROM {s}.records WHERE id > %(after)s ORDER BY id LIMIT 500"
LEARNED: Final = "SELECT size FROM {s}.learned WHERE app = %(app)s"
# It goes from one format to the next by the index: there are few formats, and many records of each.
UNREADABLE: Final = f"""
WITH RECURSIVE formats AS (
    (SELECT format FROM {{s}}.records ORDER BY format LIMIT 1)
    UNION ALL
    SELECT (SELECT r.format FROM {{s}}.records r WHERE r.format > f.format ORDER BY r.format LIMIT 1)
    FROM formats f WHERE f.format IS NOT NULL
)
SELECT r.name FROM formats f CROSS JOIN LATERAL (
    SELECT name FROM {{s}}.records WHERE format = f.format AND {UNDER} OFFSET 0
) AS r WHERE f.format <> ALL(%(readable)s)
UNION SELECT name FROM {{s}}.records WHERE sha256(document) <> digest AND {UNDER}
"""

# --- Forgetting ------------------------------------------------------------------------------------------------------

SEEN: Final = "SELECT at FROM {s}.seen"
SEE: Final = """
UPDATE {s}.seen SET at = %(seen)s WHERE at IS NOT DISTINCT FROM %(known)s::bigint OR %(again)s AND at = %(seen)s RETURNING at
"""
ENDED: Final = """
SELECT r.updated, r.name, r.digest, r.document, t.document FROM {s}.records r LEFT JOIN {s}.traces t USING (id)
WHERE r.ended AND r.updated < %(before)s AND (r.updated, r.id) > (%(updated)s, %(after)s) ORDER BY r.updated, r.id LIMIT 500
"""
# Each trace was made of the record with this digest, and of the trace that was there beside it.
REMOVE: Final = """
WITH old AS (
    SELECT * FROM unnest(%(ids)s::bytea[], %(digests)s::bytea[], %(traces)s::bytea[]) AS old (id, digest, trace)
), gone AS (
    DELETE FROM {s}.records r USING old WHERE r.id = old.id AND r.digest = old.digest RETURNING old.id, old.trace
), kept AS (
    INSERT INTO {s}.traces (id, document) SELECT id, trace FROM gone
    ON CONFLICT (id) DO UPDATE SET document = excluded.document
)
SELECT id FROM gone
UNION ALL SELECT t.id FROM {s}.traces t JOIN old ON old.id = t.id AND old.trace = t.document
WHERE %(again)s AND NOT EXISTS (SELECT FROM {s}.records r WHERE r.id = t.id)
"""
FORGET_LEASES: Final = """
DELETE FROM {s}.record_leases held WHERE until < clock_timestamp() - interval '1 day'
    AND NOT EXISTS (SELECT FROM {s}.records r WHERE r.id = held.id)
"""
TRACE: Final = "SELECT document FROM {s}.traces WHERE id = %(id)s"

# --- Homes that arrive -----------------------------------------------------------------------------------------------

ANNOUNCE: Final = "INSERT INTO {s}.moves (id, state) VALUES (%(id)s, 'begun') ON CONFLICT DO NOTHING"
MOVE_STATE: Final = "SELECT state FROM {s}.moves WHERE id = %(id)s"
# It holds the row until the transaction ends, so that a move does not end and is taken back at once.
HOLD_MOVE: Final = MOVE_STATE + " FOR UPDATE"
CANCEL_MOVE: Final = "UPDATE {s}.moves SET state = 'cancelled' WHERE id = %(id)s AND state = 'begun'"
END_MOVE: Final = "UPDATE {s}.moves SET state = 'done', at = clock_timestamp() WHERE id = %(id)s"
# The documents are sent in the binary format, in which they may stay in their wrappers.
ADD_RECORDS: Final = """
INSERT INTO {s}.records (id, name, created, updated, ended, due, post, format, digest, document)
SELECT * FROM unnest(
    %(id)s::bytea[], %(name)s::bytea[], %(created)s::bigint[], %(updated)s::bigint[], %(ended)s::boolean[], %(due)s::bigint[],
    %(post)s::bytea[], %(format)s::bytea[], %(digest)s::bytea[], %(document)b::bytea[]
)
ON CONFLICT DO NOTHING RETURNING id
"""
READ_BACK: Final = "SELECT name, digest, document FROM {s}.records WHERE id = ANY(%(ids)s)"
FOUND_TRACES: Final = "SELECT id, document FROM {s}.traces WHERE id = ANY(%(ids)s)"
ADD_TRACES: Final = """
INSERT INTO {s}.traces (id, document) SELECT * FROM unnest(%(ids)s::bytea[], %(documents)s::bytea[])
ON CONFLICT (id) DO UPDATE SET document = excluded.document
"""
LEARN: Final = """
INSERT INTO {s}.learned AS known (app, updated, size) VALUES (%(app)s, %(updated)s, %(size)s)
ON CONFLICT (app) DO UPDATE SET updated = excluded.updated, size = excluded.size
WHERE (excluded.updated, excluded.size) > (known.updated, known.size)
"""
BELIEVE: Final = "UPDATE {s}.seen SET at = least(at, %(at)s)"

# --- Pacer -----------------------------------------------------------------------------------------------------------

# One row for each name, whose lock lets one caller after the other count. `at` is read under that lock. Calls later than that are
# from before the server's clock went back.
PACE: Final = """
INSERT INTO {s}.pace AS known (id, calls, pause) VALUES (%(id)s, ARRAY[clock_timestamp()], 0)
ON CONFLICT (id) DO UPDATE SET (calls, pause) = (
    SELECT CASE WHEN count(call) < %(limit)s THEN array_append(array_agg(call ORDER BY call) FILTER (WHERE call IS NOT NULL), at)
            ELSE array_agg(call ORDER BY call) END,
        CASE WHEN count(call) < %(limit)s THEN 0
            ELSE extract(epoch FROM (array_agg(call ORDER BY call DESC))[%(limit)s::integer] + interval '1 minute' - at) END
    FROM (SELECT clock_timestamp() AS at) AS clock
    LEFT JOIN LATERAL unnest(known.calls) AS call ON call > at - interval '1 minute' AND call <= at
    GROUP BY at
)
RETURNING pause
"""

# --- Upload slots ----------------------------------------------------------------------------------------------------

# Under one lock: drop who has not been heard of, enter the waiter, and give the free slots to the next in turn, whoever asks.
# The next ones are the first of each account in the order of the accounts' turns, then the second ones, and so on. An account that
# got a slot goes to the end. Each statement of the transaction sees what others committed before it got the lock.
TAKE_SLOT: Final = """
BEGIN ISOLATION LEVEL READ COMMITTED;
SELECT pg_advisory_xact_lock(%(lock)s);
DELETE FROM {s}.slots WHERE until <= clock_timestamp() OR until > clock_timestamp() + make_interval(secs => 2 * %(lasts)s);
INSERT INTO {s}.slots (ticket, account, queued, turn, held, until)
    SELECT %(ticket)s, %(account)s, coalesce(max(greatest(queued, turn)), 0) + 1,
        coalesce(max(turn) FILTER (WHERE NOT held AND account = %(account)s), max(greatest(queued, turn)) + 1, 1),
        false, clock_timestamp() + make_interval(secs => %(lasts)s) FROM {s}.slots
    ON CONFLICT (ticket) DO UPDATE SET until = excluded.until;
WITH waiting AS (
    SELECT ticket, account, row_number() OVER (ORDER BY round, turn) AS place FROM (
        SELECT *, row_number() OVER (PARTITION BY account ORDER BY queued) AS round FROM {s}.slots WHERE NOT held
    ) AS rounds
), given AS (
    SELECT * FROM waiting WHERE place <= %(limit)s - (SELECT count(*) FROM {s}.slots WHERE held)
), newest AS (SELECT max(greatest(queued, turn)) AS number FROM {s}.slots)
UPDATE {s}.slots SET held = ticket IN (SELECT ticket FROM given),
    turn = (SELECT number + max(place) FROM newest, given WHERE given.account = slots.account GROUP BY number)
    WHERE NOT held AND account IN (SELECT account FROM given);
SELECT held FROM {s}.slots WHERE ticket = %(ticket)s;
COMMIT
"""
HOLD_SLOTS: Final = """
INSERT INTO {s}.slots (ticket, account, queued, turn, held, until)
    SELECT ticket, '', 0, 0, true, clock_timestamp() + make_interval(secs => %(lasts)s) FROM unnest(%(tickets)s::bytea[]) AS ticket
    ON CONFLICT (ticket) DO UPDATE SET until = excluded.until
"""
LEAVE_SLOTS: Final = "DELETE FROM {s}.slots WHERE ticket = ANY(%(tickets)s)"
