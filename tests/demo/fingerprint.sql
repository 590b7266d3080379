-- One line a table: its rows, and a checksum of their content in the order of their key.
SELECT 'customers', count(*), md5(string_agg(md5(t::text), '' ORDER BY id)) FROM customers t
UNION ALL
SELECT 'products', count(*), md5(string_agg(md5(t::text), '' ORDER BY id)) FROM products t
UNION ALL
SELECT 'orders', count(*), md5(string_agg(md5(t::text), '' ORDER BY id)) FROM orders t
UNION ALL
SELECT 'order_lines', count(*), md5(string_agg(md5(t::text), '' ORDER BY order_id, line))
FROM order_lines t
UNION ALL
SELECT 'attachments', count(*), md5(string_agg(md5(t::text), '' ORDER BY id)) FROM attachments t
UNION ALL
SELECT 'indexes and constraints', count(*), md5(string_agg(d, '' ORDER BY d)) FROM (
  SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
  UNION ALL
  SELECT conrelid::regclass || pg_get_constraintdef(oid) FROM pg_constraint
  WHERE connamespace = 'public'::regnamespace
) AS definitions (d)
ORDER BY 1;
