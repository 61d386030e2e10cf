-- The mirror's file: a copy of ledger partitions, verified on its way in. It can be read while the
-- service writes it (WAL), and it can be deleted: the service rebuilds it from the ledger topic.

-- One row per entry, the record's value byte for byte. The primary key is the only index, since each
-- further one triples the cost of a row.
CREATE TABLE entries (
    partition    INTEGER NOT NULL,
    seq          INTEGER NOT NULL, -- the entry's place in its chain, dense from 0
    kafka_offset INTEGER NOT NULL, -- the ledger record's
    value        BLOB    NOT NULL,
    PRIMARY KEY (partition, seq)
) WITHOUT ROWID;

-- Where each partition stands; moves in the same transaction as its entries.
CREATE TABLE positions (
    partition         INTEGER PRIMARY KEY,
    log               TEXT    NOT NULL, -- the origin: <org>/<cluster>/<topic>/<partition>
    next_kafka_offset INTEGER NOT NULL,
    next_seq          INTEGER NOT NULL,
    prev              BLOB    NOT NULL  -- leaf hash of entry next_seq - 1
);

-- Ranges of entries that the file does not hold, both ends inclusive, and why.
CREATE TABLE gaps (
    partition INTEGER NOT NULL,
    from_seq  INTEGER NOT NULL,
    to_seq    INTEGER NOT NULL,
    reason    TEXT    NOT NULL,
    PRIMARY KEY (partition, from_seq)
) WITHOUT ROWID;

-- Records that broke a chain, kept aside for whoever looks into it.
CREATE TABLE broken (
    partition    INTEGER NOT NULL,
    kafka_offset INTEGER NOT NULL,
    bytes        INTEGER NOT NULL, -- of the record; value holds at most the first MiB
    value        BLOB    NOT NULL,
    reason       TEXT    NOT NULL,
    PRIMARY KEY (partition, kafka_offset)
);
