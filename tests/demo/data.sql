-- About 200 MB as an application leaves them: keys, indexes, long text, bytes, every script.
SET synchronous_commit = off;
CREATE TYPE order_state AS ENUM ('open', 'paid', 'sent', 'zurück');
CREATE TABLE customers (
  id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL,
  email text NOT NULL UNIQUE,
  profile jsonb NOT NULL,
  since timestamptz NOT NULL
);
CREATE TABLE products (
  id integer PRIMARY KEY,
  title text NOT NULL,
  description text NOT NULL,
  price numeric(12, 2) NOT NULL CHECK (price >= 0),
  tags text[] NOT NULL
);
CREATE TABLE orders (
  id bigint PRIMARY KEY,
  customer integer NOT NULL,
  state order_state NOT NULL,
  placed timestamptz NOT NULL
);
CREATE TABLE order_lines (
  order_id bigint NOT NULL,
  line smallint NOT NULL,
  product integer NOT NULL,
  quantity integer NOT NULL,
  total numeric(14, 4) NOT NULL
);
CREATE TABLE attachments (
  id uuid PRIMARY KEY,
  order_id bigint NOT NULL,
  media_type text NOT NULL,
  content bytea NOT NULL
);
INSERT INTO customers (name, email, profile, since)
SELECT (ARRAY['Zoë', 'Łukasz', '山田太郎', 'Мария', 'أحمد', 'Ana 🐘', E'O''Neill \\ "Q"'])[1 + g % 7]
         || ' ' || g,
       'customer' || g || '@example.com',
       jsonb_build_object('visits', g % 97, 'note', CASE g % 3 WHEN 0 THEN NULL ELSE md5(g::text) END),
       timestamptz '2020-01-01 00:00+00' + g * interval '37 minutes'
FROM generate_series(1, 60000) g;
INSERT INTO products
SELECT g, 'Product ' || g || ' ✓',
       (SELECT string_agg(md5((g * 31 + p)::text) || E' words,\n\tmore words \\. and a line; ', '')
        FROM generate_series(1, 40) p),
       (g * 37 % 100000) / 100.0, ARRAY['tag ' || g % 13, 'ünïcode', '']
FROM generate_series(1, 12000) g;
INSERT INTO orders
SELECT g, 1 + g::bigint * 7919 % 60000,
       (ARRAY['open', 'paid', 'sent', 'zurück']::order_state[])[1 + g % 4],
       timestamptz '2024-01-01 00:00+00' + g * interval '91 seconds'
FROM generate_series(1, 400000) g;
INSERT INTO order_lines
SELECT o, l, 1 + (o * 31 + l * 7) % 12000, 1 + (o + l) % 9, ((o * l) % 1000000) / 7.0
FROM generate_series(1, 400000) o, generate_series(1, 4) l;
INSERT INTO attachments
SELECT md5('a' || g)::uuid, 1 + g % 400000, 'application/octet-stream',
       (SELECT string_agg(sha256((g || ':' || p)::bytea), '') FROM generate_series(1, 64) p)
FROM generate_series(1, 20000) g;
-- Keys after the rows: ten times faster, and nothing in a dump tells.
ALTER TABLE orders ADD FOREIGN KEY (customer) REFERENCES customers;
ALTER TABLE order_lines
  ADD PRIMARY KEY (order_id, line),
  ADD FOREIGN KEY (order_id) REFERENCES orders,
  ADD FOREIGN KEY (product) REFERENCES products;
ALTER TABLE attachments ADD FOREIGN KEY (order_id) REFERENCES orders;
CREATE INDEX orders_customer ON orders (customer, placed);
CREATE INDEX order_lines_product ON order_lines (product);
CREATE INDEX customers_profile ON customers USING gin (profile);
CREATE VIEW revenue AS
  SELECT customer, sum(total) AS total
  FROM orders JOIN order_lines ON order_id = orders.id GROUP BY 1;
ANALYZE;
