-- What only newer releases know; not in `default`, which the engine has without ids.
CREATE DATABASE new;
CREATE FUNCTION doubled AS (x) -> x * 2;
CREATE NAMED COLLECTION elsewhere AS url = 'http://nowhere.invalid/', format = 'CSV';
CREATE TABLE new.typed (k UInt64, lc LowCardinality(String), j JSON, v Variant(UInt64, String), dy
  Dynamic, m Map(String, UInt64), t64 DateTime64(6, 'UTC'), ip IPv6, u UUID, nested Nested(a
  UInt8, b String), s SimpleAggregateFunction(max, UInt64), big UInt256, state
  AggregateFunction(uniq, UInt64), fast UInt8 MATERIALIZED k % 7, gone UInt64 EPHEMERAL, kept
  UInt64 DEFAULT gone + 1, other String ALIAS upper(lc), INDEX skipping k TYPE minmax GRANULARITY
  1, PROJECTION by_lc (SELECT lc, count() GROUP BY lc)) ENGINE = MergeTree PARTITION BY k % 4
  ORDER BY k SETTINGS lightweight_mutation_projection_mode = 'rebuild';
CREATE TABLE new.many_days (day Date, n UInt64) ENGINE = MergeTree PARTITION BY day ORDER BY n;
CREATE TABLE new.replacing (k UInt64, v String) ENGINE = ReplacingMergeTree ORDER BY k;
CREATE TABLE new.source (id UInt64, name String) ENGINE = MergeTree ORDER BY id;
CREATE DICTIONARY new.dict (id UInt64, name String) PRIMARY KEY id SOURCE(CLICKHOUSE(DB 'new'
  TABLE 'source')) LAYOUT(FLAT()) LIFETIME(0);
CREATE TABLE new.looked_up (id UInt64, name String DEFAULT dictGet('new.dict', 'name', id)) ENGINE
  = MergeTree ORDER BY id;
CREATE TABLE new.rocks (k UInt64, v String) ENGINE = EmbeddedRocksDB PRIMARY KEY k;
CREATE TABLE new.in_memory (a UInt64) ENGINE = Memory;
CREATE TABLE new.target (a UInt64) ENGINE = MergeTree ORDER BY a;
CREATE VIEW new.with_parameter AS SELECT * FROM new.source WHERE id = {wanted:UInt64};
CREATE VIEW new.using_function AS SELECT doubled(id) AS twice FROM new.source;
CREATE MATERIALIZED VIEW new.counted ENGINE = SummingMergeTree ORDER BY name AS SELECT name,
  count() AS n FROM new.source GROUP BY name;
CREATE MATERIALIZED VIEW new.counted_again ENGINE = SummingMergeTree ORDER BY n AS SELECT n,
  count() AS views FROM new.counted GROUP BY n;
CREATE MATERIALIZED VIEW new.refreshed REFRESH EVERY 1 YEAR TO new.target EMPTY AS SELECT
  toUInt64(9) AS a;
INSERT INTO new.typed (k, lc, j, v, dy, m, t64, ip, u, nested.a, nested.b, s, big, state, gone)
  SELECT number, toString(number % 9), concat('{"a":', toString(number), '}'), if(number % 2,
  number::Variant(UInt64, String), 'x'::Variant(UInt64, String)), if(number % 3, number::Dynamic,
  'd'::Dynamic), map('k', number), toDateTime64(number, 6, 'UTC'), toIPv6('::1'),
  generateUUIDv4(), [1, 2], ['a', 'b'], number, number, arrayReduce('uniqState', [number]), number
  FROM numbers(10000);
DELETE FROM new.typed WHERE k % 10 = 3;
INSERT INTO new.many_days SELECT toDate('2020-01-01') + number, number FROM numbers(90);
INSERT INTO new.many_days SELECT toDate('2020-04-01') + number, number FROM numbers(90);
INSERT INTO new.replacing SELECT number % 100, 'first' FROM numbers(100);
INSERT INTO new.replacing SELECT number % 100, 'second' FROM numbers(100);
INSERT INTO new.source SELECT number, concat('name ', toString(number % 5)) FROM numbers(50);
INSERT INTO new.looked_up (id) SELECT number FROM numbers(10);
INSERT INTO new.rocks SELECT number, toString(number) FROM numbers(100);
INSERT INTO new.in_memory SELECT number FROM numbers(100);
INSERT INTO new.target VALUES (1), (2);
