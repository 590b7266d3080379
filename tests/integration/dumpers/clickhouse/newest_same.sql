-- What is the same after a restore.
SELECT count(), sum(cityHash64(k, lc, toString(j), toString(v), toString(dy), m, t64, ip, u,
  nested.a, nested.b, s, big, fast, kept, other)), uniqMerge(state) FROM new.typed;
SELECT count(), sum(cityHash64(*)) FROM new.many_days;
SELECT count(), sum(cityHash64(*)) FROM new.replacing;
SELECT count(), sum(cityHash64(*)) FROM new.source;
SELECT count(), sum(cityHash64(*)) FROM new.looked_up;
SELECT count(), sum(cityHash64(*)) FROM new.rocks;
SELECT count(), sum(cityHash64(*)) FROM new.in_memory;
SELECT a FROM new.target ORDER BY a;
SELECT name, sum(n) FROM new.counted GROUP BY name ORDER BY name;
SELECT n, sum(views) FROM new.counted_again GROUP BY n ORDER BY n;
SELECT * FROM new.with_parameter(wanted = 3);
SELECT sum(twice) FROM new.using_function;
SELECT name, engine FROM system.tables WHERE database = 'new' AND name NOT LIKE '.inner%' ORDER BY
  name;
