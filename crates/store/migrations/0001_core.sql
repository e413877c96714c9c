-- The core: tenants, payments, refunds, the ledger, events and deliveries.
--
-- Conventions: times are microseconds since 1970 (UTC), money is minor units, booleans are 0 or 1,
-- mode is 1 for live and 0 for test, JSON is opaque text. Every key begins with the tenant
-- (merchant, mode), so that the tables can be sharded by it; the exceptions say why.

CREATE TABLE setting (
  name TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE merchant (
  id INTEGER NOT NULL PRIMARY KEY,
  name TEXT NOT NULL,
  created INTEGER NOT NULL,
  live_signature_required INTEGER NOT NULL CHECK (live_signature_required IN (0, 1)),
  test_signature_required INTEGER NOT NULL CHECK (test_signature_required IN (0, 1)),
  sign_responses INTEGER NOT NULL CHECK (sign_responses IN (0, 1)),
  disabled INTEGER NOT NULL CHECK (disabled IN (0, 1))
) STRICT;

CREATE TABLE app (
  merchant INTEGER NOT NULL REFERENCES merchant (id),
  id TEXT NOT NULL,
  display_name TEXT NOT NULL,
  created INTEGER NOT NULL,
  id_scheme TEXT NOT NULL CHECK (id_scheme IN ('digits', 'alphanumeric')),
  fee_bp INTEGER NOT NULL CHECK (fee_bp BETWEEN 0 AND 10000),
  channels TEXT NOT NULL,
  disabled INTEGER NOT NULL CHECK (disabled IN (0, 1)),
  PRIMARY KEY (merchant, id)
) STRICT, WITHOUT ROWID;

-- Found by the hash alone: the key is what names the tenant.
CREATE TABLE api_key (
  hash BLOB NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
  merchant INTEGER NOT NULL REFERENCES merchant (id),
  mode INTEGER NOT NULL CHECK (mode IN (0, 1)),
  dialect TEXT NOT NULL,
  hint TEXT NOT NULL,
  created INTEGER NOT NULL,
  revoked INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX api_key_of_merchant ON api_key (merchant, created);

CREATE TABLE merchant_key (
  merchant INTEGER NOT NULL REFERENCES merchant (id),
  mode INTEGER NOT NULL CHECK (mode IN (0, 1)),
  fingerprint TEXT NOT NULL,
  pem TEXT NOT NULL,
  created INTEGER NOT NULL,
  revoked INTEGER,
  PRIMARY KEY (merchant, mode, fingerprint)
) STRICT, WITHOUT ROWID;

CREATE TABLE route (
  merchant INTEGER NOT NULL REFERENCES merchant (id),
  mode INTEGER NOT NULL CHECK (mode IN (0, 1)),
  id INTEGER NOT NULL,
  connector TEXT NOT NULL,
  name TEXT NOT NULL,
  settings TEXT NOT NULL,
  version INTEGER NOT NULL,
  disabled INTEGER NOT NULL CHECK (disabled IN (0, 1)),
  PRIMARY KEY (merchant, mode, id)
) STRICT, WITHOUT ROWID;
-- A channel's notice names the route and nothing else.
CREATE UNIQUE INDEX route_of_notice ON route (id);

CREATE TABLE endpoint (
  merchant INTEGER NOT NULL REFERENCES merchant (id),
  mode INTEGER NOT NULL CHECK (mode IN (0, 1)),
  id INTEGER NOT NULL,
  app TEXT NOT NULL,
  dialect TEXT NOT NULL,
  url TEXT NOT NULL,
  events TEXT NOT NULL,
  created INTEGER NOT NULL,
  disabled INTEGER NOT NULL CHECK (disabled IN (0, 1)),
  PRIMARY KEY (merchant, mode, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE member (
  merchant INTEGER NOT NULL REFERENCES merchant (id),
  mode INTEGER NOT NULL CHECK (mode IN (0, 1)),
  app TEXT NOT NULL,
  user TEXT NOT NULL,
  id INTEGER NOT NULL,
  created INTEGER NOT NULL,
  disabled INTEGER NOT NULL CHECK (disabled IN (0, 1)),
  PRIMARY KEY (merchant, mode, app, user)
) STRICT, WITHOUT ROWID;

CREATE TABLE payment (
  merchant INTEGER NOT NULL,
  mode INTEGER NOT NULL CHECK (mode IN (0, 1)),
  id INTEGER NOT NULL,
  app TEXT NOT NULL,
  dialect TEXT NOT NULL,
  public_id TEXT NOT NULL,
  channel TEXT NOT NULL,
  route INTEGER NOT NULL,
  order_no TEXT NOT NULL,
  number TEXT NOT NULL,
  currency TEXT NOT NULL,
  amount INTEGER NOT NULL CHECK (amount > 0),
  fee INTEGER NOT NULL CHECK (fee BETWEEN 0 AND amount),
  subject TEXT NOT NULL,
  body TEXT NOT NULL,
  description TEXT,
  client_ip TEXT NOT NULL,
  echo TEXT NOT NULL,
  payer INTEGER,
  created INTEGER NOT NULL,
  expires INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN
    ('created', 'pending', 'closing', 'paid', 'reversing', 'closed', 'reversed', 'failed')),
  credential_kind TEXT,
  credential TEXT,
  why TEXT CHECK (why IN ('expired', 'reversed')),
  state_at INTEGER,
  trade_no TEXT,
  paid_at INTEGER,
  details TEXT,
  code TEXT,
  message TEXT,
  refunded INTEGER NOT NULL CHECK (refunded >= 0),
  refunding INTEGER NOT NULL CHECK (refunding >= 0),
  refunds INTEGER NOT NULL CHECK (refunds >= 0),
  op_kind TEXT CHECK (op_kind IN ('prepare', 'close', 'reverse', 'refund')),
  op_state TEXT CHECK (op_state IN ('intent', 'dispatching', 'unknown', 'review')),
  op_tries INTEGER,
  op_queries INTEGER,
  op_token INTEGER,
  op_next_at INTEGER,
  op_code TEXT,
  queries INTEGER NOT NULL,
  next_at INTEGER,
  request TEXT,
  version INTEGER NOT NULL,
  PRIMARY KEY (merchant, mode, id),
  CHECK (refunded + refunding <= amount),
  CHECK ((state IN ('paid', 'reversing', 'reversed')) = (paid_at IS NOT NULL)),
  CHECK ((state IN ('paid', 'reversing', 'reversed')) = (trade_no IS NOT NULL)),
  CHECK ((state = 'pending') = (credential_kind IS NOT NULL)),
  CHECK ((state IN ('closing', 'closed')) = (why IS NOT NULL)),
  CHECK ((op_kind IS NULL) = (op_state IS NULL))
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX payment_public_id ON payment (merchant, mode, public_id);
-- A payment that failed while it was prepared leaves its order number to the next try.
CREATE UNIQUE INDEX payment_order_no ON payment (merchant, mode, app, channel, order_no)
  WHERE state <> 'failed';
CREATE UNIQUE INDEX payment_number ON payment (merchant, mode, route, number);
CREATE INDEX payment_list ON payment (merchant, mode, created, id);
CREATE INDEX payment_list_of_app ON payment (merchant, mode, app, created, id);
-- Timers serve all tenants in order of time.
CREATE INDEX payment_due ON payment (next_at) WHERE next_at IS NOT NULL;
-- The few that a channel is being asked about, for operators' figures.
CREATE INDEX payment_operation ON payment (op_state) WHERE op_state IS NOT NULL;

-- One upstream trade funds at most one payment (INV-15).
CREATE TABLE receipt (
  merchant INTEGER NOT NULL,
  mode INTEGER NOT NULL CHECK (mode IN (0, 1)),
  route INTEGER NOT NULL,
  trade_no TEXT NOT NULL,
  payment INTEGER NOT NULL,
  amount INTEGER NOT NULL CHECK (amount > 0),
  late INTEGER NOT NULL CHECK (late IN (0, 1)),
  PRIMARY KEY (merchant, mode, route, trade_no)
) STRICT, WITHOUT ROWID;

CREATE TABLE refund (
  merchant INTEGER NOT NULL,
  mode INTEGER NOT NULL CHECK (mode IN (0, 1)),
  id INTEGER NOT NULL,
  app TEXT NOT NULL,
  payment INTEGER NOT NULL,
  public_id TEXT NOT NULL,
  route INTEGER NOT NULL,
  number TEXT NOT NULL,
  currency TEXT NOT NULL,
  amount INTEGER NOT NULL CHECK (amount > 0),
  description TEXT NOT NULL,
  echo TEXT NOT NULL,
  origin TEXT NOT NULL CHECK (origin IN ('merchant', 'batch', 'reversal', 'late', 'import')),
  batch INTEGER,
  created INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('pending', 'succeeded', 'failed')),
  state_at INTEGER,
  trade_no TEXT,
  code TEXT,
  message TEXT,
  op_kind TEXT CHECK (op_kind IN ('prepare', 'close', 'reverse', 'refund')),
  op_state TEXT CHECK (op_state IN ('intent', 'dispatching', 'unknown', 'review')),
  op_tries INTEGER,
  op_queries INTEGER,
  op_token INTEGER,
  op_next_at INTEGER,
  op_code TEXT,
  request TEXT,
  exact_request BLOB,
  body_hash BLOB NOT NULL,
  version INTEGER NOT NULL,
  PRIMARY KEY (merchant, mode, id),
  CHECK ((state = 'pending') = (state_at IS NULL)),
  CHECK ((state = 'failed') = (code IS NOT NULL)),
  CHECK ((origin = 'batch') = (batch IS NOT NULL))
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX refund_public_id ON refund (merchant, mode, public_id);
CREATE UNIQUE INDEX refund_number ON refund (merchant, mode, route, number);
CREATE INDEX refund_of_payment ON refund (merchant, mode, payment, created, id);
CREATE INDEX refund_of_batch ON refund (merchant, mode, batch, id) WHERE batch IS NOT NULL;
CREATE INDEX refund_due ON refund (op_next_at) WHERE op_next_at IS NOT NULL;
CREATE INDEX refund_operation ON refund (op_state) WHERE op_state IS NOT NULL;

CREATE TABLE refund_batch (
  merchant INTEGER NOT NULL,
  mode INTEGER NOT NULL CHECK (mode IN (0, 1)),
  id INTEGER NOT NULL,
  app TEXT NOT NULL,
  public_id TEXT NOT NULL,
  batch_no TEXT NOT NULL,
  description TEXT NOT NULL,
  echo TEXT NOT NULL,
  created INTEGER NOT NULL,
  total INTEGER NOT NULL,
  succeeded INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  finished INTEGER,
  request TEXT,
  version INTEGER NOT NULL,
  PRIMARY KEY (merchant, mode, id),
  CHECK (succeeded + failed <= total)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX refund_batch_public_id ON refund_batch (merchant, mode, public_id);
CREATE UNIQUE INDEX refund_batch_no ON refund_batch (merchant, mode, app, batch_no);

CREATE TABLE hold (
  merchant INTEGER NOT NULL,
  mode INTEGER NOT NULL CHECK (mode IN (0, 1)),
  refund INTEGER NOT NULL,
  path TEXT NOT NULL,
  amount INTEGER NOT NULL CHECK (amount > 0),
  state TEXT NOT NULL CHECK (state IN ('open', 'captured', 'released')),
  version INTEGER NOT NULL,
  PRIMARY KEY (merchant, mode, refund)
) STRICT, WITHOUT ROWID;

CREATE TABLE account (
  merchant INTEGER NOT NULL,
  mode INTEGER NOT NULL CHECK (mode IN (0, 1)),
  path TEXT NOT NULL,
  debits INTEGER NOT NULL CHECK (debits >= 0),
  credits INTEGER NOT NULL CHECK (credits >= 0),
  held INTEGER NOT NULL CHECK (held >= 0),
  entries INTEGER NOT NULL CHECK (entries >= 0),
  PRIMARY KEY (merchant, mode, path)
) STRICT, WITHOUT ROWID;

CREATE TABLE chain (
  merchant INTEGER NOT NULL,
  mode INTEGER NOT NULL CHECK (mode IN (0, 1)),
  seq INTEGER NOT NULL,
  hash BLOB NOT NULL CHECK (length(hash) = 32),
  PRIMARY KEY (merchant, mode)
) STRICT, WITHOUT ROWID;

CREATE TABLE journal (
  merchant INTEGER NOT NULL,
  mode INTEGER NOT NULL CHECK (mode IN (0, 1)),
  seq INTEGER NOT NULL,
  cause TEXT NOT NULL,
  object INTEGER NOT NULL,
  at INTEGER NOT NULL,
  day INTEGER NOT NULL,
  hash BLOB NOT NULL CHECK (length(hash) = 32),
  PRIMARY KEY (merchant, mode, seq)
) STRICT, WITHOUT ROWID;
-- One business event, one journal (INV-06).
CREATE UNIQUE INDEX journal_cause ON journal (merchant, mode, cause, object);

CREATE TABLE entry (
  merchant INTEGER NOT NULL,
  mode INTEGER NOT NULL CHECK (mode IN (0, 1)),
  seq INTEGER NOT NULL,
  line INTEGER NOT NULL,
  path TEXT NOT NULL,
  side TEXT NOT NULL CHECK (side IN ('D', 'C')),
  amount INTEGER NOT NULL CHECK (amount > 0),
  balance_after INTEGER NOT NULL,
  account_seq INTEGER NOT NULL,
  PRIMARY KEY (merchant, mode, seq, line)
) STRICT, WITHOUT ROWID;

-- The book is append-only (INV-11). These are constraints, not logic: no row ever changes by them.
CREATE TRIGGER journal_is_never_updated BEFORE UPDATE ON journal
BEGIN SELECT RAISE(ABORT, 'a journal is never changed'); END;
CREATE TRIGGER journal_is_never_deleted BEFORE DELETE ON journal
BEGIN SELECT RAISE(ABORT, 'a journal is never deleted'); END;
CREATE TRIGGER entry_is_never_updated BEFORE UPDATE ON entry
BEGIN SELECT RAISE(ABORT, 'an entry is never changed'); END;
CREATE TRIGGER entry_is_never_deleted BEFORE DELETE ON entry
BEGIN SELECT RAISE(ABORT, 'an entry is never deleted'); END;

CREATE TABLE event (
  merchant INTEGER NOT NULL,
  mode INTEGER NOT NULL CHECK (mode IN (0, 1)),
  id INTEGER NOT NULL,
  app TEXT NOT NULL,
  dialect TEXT NOT NULL,
  public_id TEXT NOT NULL,
  event_type TEXT NOT NULL,
  about TEXT NOT NULL CHECK (about IN ('payment', 'refund', 'batch')),
  object INTEGER NOT NULL,
  created INTEGER NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (merchant, mode, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX event_public_id ON event (merchant, mode, public_id);
CREATE INDEX event_list ON event (merchant, mode, created, id);

CREATE TABLE delivery (
  merchant INTEGER NOT NULL,
  mode INTEGER NOT NULL CHECK (mode IN (0, 1)),
  id INTEGER NOT NULL,
  event INTEGER NOT NULL,
  endpoint INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('waiting', 'sending', 'delivered', 'dead')),
  tries INTEGER NOT NULL,
  token INTEGER NOT NULL,
  next_at INTEGER,
  created INTEGER NOT NULL,
  version INTEGER NOT NULL,
  PRIMARY KEY (merchant, mode, id),
  CHECK ((state IN ('waiting', 'sending')) = (next_at IS NOT NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX delivery_of_event ON delivery (merchant, mode, event, id);
CREATE INDEX delivery_due ON delivery (next_at, endpoint) WHERE next_at IS NOT NULL;
CREATE INDEX delivery_dead ON delivery (merchant, mode) WHERE state = 'dead';

CREATE TABLE delivery_attempt (
  merchant INTEGER NOT NULL,
  mode INTEGER NOT NULL CHECK (mode IN (0, 1)),
  delivery INTEGER NOT NULL,
  number INTEGER NOT NULL,
  at INTEGER NOT NULL,
  status INTEGER,
  excerpt TEXT NOT NULL,
  PRIMARY KEY (merchant, mode, delivery, number, at)
) STRICT, WITHOUT ROWID;

-- Append-only logs; the order of writing is their only key.
CREATE TABLE attempt (
  merchant INTEGER NOT NULL,
  mode INTEGER NOT NULL CHECK (mode IN (0, 1)),
  about TEXT NOT NULL,
  object INTEGER NOT NULL,
  at INTEGER NOT NULL,
  token INTEGER NOT NULL,
  step TEXT NOT NULL,
  code TEXT
) STRICT;

CREATE TABLE audit (
  merchant INTEGER NOT NULL,
  mode INTEGER NOT NULL CHECK (mode IN (0, 1)),
  at INTEGER NOT NULL,
  actor TEXT NOT NULL,
  action TEXT NOT NULL,
  object INTEGER NOT NULL
) STRICT;

CREATE TABLE unmatched_notice (
  merchant INTEGER NOT NULL,
  mode INTEGER NOT NULL CHECK (mode IN (0, 1)),
  notice_id TEXT NOT NULL,
  number TEXT NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (merchant, mode, notice_id)
) STRICT, WITHOUT ROWID;
