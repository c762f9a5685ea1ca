-- The ledger of one shard: accounts, orders, events, postings, holdings, and the outbox.
--
-- Invariants kept here and nowhere else:
--   * The account row is the user's mutex, sequence and chain head. Every change of a user's money,
--     orders or holdings happens under its lock and leaves one event with the state after it.
--   * The event log is append-only and hash-chained per user; the database refuses anything else.
--   * Postings sum to zero per event and asset.
--   * What must leave the database leaves by the outbox row of the same transaction.
-- Money in paise, prices in ten-thousandths of a rupee, quantities in shares, times in UTC.

CREATE SCHEMA ledger;

CREATE TABLE ledger.account (
  user_id      bigint PRIMARY KEY,
  seq          bigint NOT NULL CHECK (seq >= 0),
  head         bytea NOT NULL,
  at           timestamptz NOT NULL,          -- of the latest event; time never runs backwards in a log
  cash         bigint NOT NULL CHECK (cash >= 0),
  held         bigint NOT NULL CHECK (held >= 0),
  borrowed     bigint NOT NULL CHECK (borrowed >= 0),
  unsettled    bigint NOT NULL CHECK (unsettled >= 0),
  unsettled_on date NOT NULL,                 -- the trade date whose sale proceeds `unsettled` holds
  open_orders  integer NOT NULL CHECK (open_orders >= 0),
  state        text NOT NULL CHECK (state IN ('ACTIVE', 'REDUCING', 'HALTED'))
) WITH (fillfactor = 30, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- No foreign key points at account: its check would take a lock on the one row every order needs.
CREATE TABLE ledger.orders (
  order_id         bigint PRIMARY KEY,
  user_id          bigint NOT NULL,
  client_order_id  text NOT NULL,
  fingerprint      bytea NOT NULL,            -- sha256 of the client's request: same id, other body = 409
  symbol           text NOT NULL,
  side             text NOT NULL CHECK (side IN ('BUY', 'SELL')),
  type             text NOT NULL CHECK (type IN ('MARKET', 'LIMIT')),
  product          text NOT NULL,
  validity         text NOT NULL CHECK (validity IN ('DAY', 'IOC')),
  quantity         bigint NOT NULL CHECK (quantity > 0),
  price            bigint,                    -- the client's limit; null for a market order
  limit_price      bigint NOT NULL,           -- what the venue is given; protected for a market order
  reserved         bigint NOT NULL CHECK (reserved >= 0),   -- for the whole quantity, charges included
  charge_rates     bigint[] NOT NULL,         -- per 10^9, heads as in ledger.charge_head
  charges          bigint[] NOT NULL,         -- booked so far, same heads
  status           text NOT NULL,
  filled_quantity  bigint NOT NULL DEFAULT 0,
  traded_value     bigint NOT NULL DEFAULT 0,
  pending_change   text CHECK (pending_change IN ('MODIFY', 'CANCEL')),
  pending_quantity bigint,
  pending_price    bigint,
  pending_reserved bigint,
  change_key       text,                      -- request_id of the latest change asked for
  request          integer NOT NULL DEFAULT 0,   -- number of the latest change asked for
  accepted_request integer NOT NULL DEFAULT 0,   -- number of the latest one the venue accepted
  venue_order_id   text,
  reason_code      text,
  reason           text,
  rules            jsonb,
  context          text NOT NULL,             -- the quote it was judged on, and the rules' versions
  placed_seq       bigint NOT NULL,
  created_at       timestamptz NOT NULL,
  updated_at       timestamptz NOT NULL,
  touched_at       timestamptz NOT NULL DEFAULT clock_timestamp(),   -- wall clock, for the sweep
  version          integer NOT NULL DEFAULT 1,
  UNIQUE (user_id, client_order_id)
) WITH (fillfactor = 70);
CREATE INDEX orders_by_user ON ledger.orders (user_id, order_id DESC);
CREATE INDEX orders_unanswered ON ledger.orders (order_id)
  WHERE status = 'PENDING' OR pending_change IS NOT NULL;

CREATE TABLE ledger.ledger_event (
  user_id     bigint NOT NULL,
  seq         bigint NOT NULL,
  at          timestamptz NOT NULL,
  kind        text NOT NULL,
  ref         bigint,                         -- the order it is about
  cash_change bigint NOT NULL,
  held_change bigint NOT NULL,
  cash        bigint NOT NULL,                -- state after the event: a balance at any instant is one probe
  held        bigint NOT NULL,
  borrowed    bigint NOT NULL,
  body        text NOT NULL,                  -- text, so that its bytes (and their hash) never change
  hash        bytea NOT NULL,
  PRIMARY KEY (user_id, seq)
);

CREATE TABLE ledger.posting (
  user_id bigint NOT NULL,
  seq     bigint NOT NULL,
  line    smallint NOT NULL,
  account text NOT NULL,
  asset   text NOT NULL,
  amount  bigint NOT NULL,
  PRIMARY KEY (user_id, seq, line)
);

CREATE TABLE ledger.execution (
  venue      smallint NOT NULL,
  trade_date date NOT NULL,
  exec_id    text NOT NULL,
  user_id    bigint NOT NULL,
  order_id   bigint NOT NULL,
  exec_type  text NOT NULL,
  quantity   bigint NOT NULL,
  price      bigint NOT NULL,
  value      bigint NOT NULL,
  charges    bigint NOT NULL,
  seq        bigint NOT NULL,                 -- the event it became; 0 for a report that changed nothing
  at         timestamptz NOT NULL,
  PRIMARY KEY (venue, trade_date, exec_id)
);
CREATE INDEX execution_by_order ON ledger.execution (order_id);

CREATE TABLE ledger.holding (
  user_id   bigint NOT NULL,
  symbol    text NOT NULL,
  quantity  bigint NOT NULL CHECK (quantity >= 0),
  open_sell bigint NOT NULL CHECK (open_sell >= 0),
  cost      bigint NOT NULL CHECK (cost >= 0),
  PRIMARY KEY (user_id, symbol)
);

CREATE TABLE ledger.holding_lot (             -- what of a holding was bought on which trade date
  user_id    bigint NOT NULL,
  symbol     text NOT NULL,
  trade_date date NOT NULL,
  quantity   bigint NOT NULL CHECK (quantity > 0),
  PRIMARY KEY (user_id, symbol, trade_date)
);

CREATE TABLE ledger.deposit (
  user_id   bigint NOT NULL,
  client_id text NOT NULL,
  amount    bigint NOT NULL CHECK (amount > 0),
  seq       bigint NOT NULL,
  PRIMARY KEY (user_id, client_id)
);

CREATE TABLE ledger.outbox (
  id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  part    smallint NOT NULL,
  user_id bigint NOT NULL,
  seq     bigint NOT NULL,
  symbol  text,
  command text                                -- for the order gateway; the event itself is joined
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

CREATE TABLE ledger.fix_applied (             -- session positions whose report is applied here
  session  text NOT NULL,
  position bigint NOT NULL,
  PRIMARY KEY (session, position)
);

CREATE TABLE ledger.fix_checkpoint (          -- shard 0: below which every report is applied
  session         text PRIMARY KEY,
  applied_through bigint NOT NULL
);

CREATE TABLE ledger.parked_execution (        -- a report that can't be applied, and its user's later ones
  session  text NOT NULL,
  position bigint NOT NULL,
  user_id  bigint NOT NULL,
  order_id bigint NOT NULL,
  why      text NOT NULL,
  report   text NOT NULL,
  at       timestamptz NOT NULL,
  PRIMARY KEY (session, position)
);
CREATE INDEX parked_by_user ON ledger.parked_execution (user_id);

CREATE TABLE ledger.charge_head (
  head    smallint PRIMARY KEY,
  account text NOT NULL
);
INSERT INTO ledger.charge_head VALUES
  (1, 'charge:brokerage'), (2, 'charge:stt'), (3, 'charge:exchange'), (4, 'charge:ipft'),
  (5, 'charge:sebi'), (6, 'charge:stamp'), (7, 'charge:gst');

-- The order life (functions/shared/domain/orders.py has the same rows; a test compares them).
CREATE TABLE ledger.order_transition (
  status    text NOT NULL,
  happening text NOT NULL,
  next      text NOT NULL,
  PRIMARY KEY (status, happening)
);
INSERT INTO ledger.order_transition VALUES
  ('PENDING', 'ACKNOWLEDGED', 'OPEN'), ('PENDING', 'PARTLY_FILLED', 'PARTIALLY_FILLED'),
  ('PENDING', 'FULLY_FILLED', 'FILLED'), ('PENDING', 'REPLACED', 'OPEN'),
  ('PENDING', 'CANCELLED', 'CANCELLED'), ('PENDING', 'EXPIRED', 'EXPIRED'),
  ('PENDING', 'REJECTED', 'REJECTED'),
  ('OPEN', 'ACKNOWLEDGED', 'OPEN'), ('OPEN', 'PARTLY_FILLED', 'PARTIALLY_FILLED'),
  ('OPEN', 'FULLY_FILLED', 'FILLED'), ('OPEN', 'REPLACED', 'OPEN'),
  ('OPEN', 'CANCELLED', 'CANCELLED'), ('OPEN', 'EXPIRED', 'EXPIRED'), ('OPEN', 'REJECTED', 'REJECTED'),
  ('PARTIALLY_FILLED', 'ACKNOWLEDGED', 'PARTIALLY_FILLED'),
  ('PARTIALLY_FILLED', 'PARTLY_FILLED', 'PARTIALLY_FILLED'),
  ('PARTIALLY_FILLED', 'FULLY_FILLED', 'FILLED'),
  ('PARTIALLY_FILLED', 'REPLACED', 'PARTIALLY_FILLED'),
  ('PARTIALLY_FILLED', 'CANCELLED', 'CANCELLED'), ('PARTIALLY_FILLED', 'EXPIRED', 'EXPIRED'),
  ('FILLED', 'ACKNOWLEDGED', 'FILLED'), ('CANCELLED', 'ACKNOWLEDGED', 'CANCELLED'),
  ('EXPIRED', 'ACKNOWLEDGED', 'EXPIRED'),
  ('CANCELLED', 'PARTLY_FILLED', 'CANCELLED'), ('CANCELLED', 'FULLY_FILLED', 'FILLED'),
  ('EXPIRED', 'PARTLY_FILLED', 'EXPIRED'), ('EXPIRED', 'FULLY_FILLED', 'FILLED'),
  ('PARTIALLY_FILLED', 'REPLACED_DOWN', 'FILLED');

CREATE SEQUENCE ledger.order_number;

-- Facts are written once. The refusal holds for the owner too, so that no role of ours can edit them.
CREATE FUNCTION ledger.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'OC409';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.ledger_event
  FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.posting
  FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.execution
  FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

CREATE FUNCTION ledger.micros(t timestamptz) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT (extract(epoch FROM t) * 1000000)::bigint
$$;

-- hash(n) = sha256(hash(n-1) || user || seq || at || kind || ref || changes || state after || body)
CREATE FUNCTION ledger.event_hash(previous bytea, u bigint, n bigint, t timestamptz, k text, r bigint,
    dc bigint, dh bigint, c bigint, h bigint, b bigint, body text)
RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT sha256(previous || int8send(u) || int8send(n) || int8send(ledger.micros(t))
    || int2send(length(k)::smallint) || convert_to(k, 'UTF8') || int8send(coalesce(r, 0))
    || int8send(dc) || int8send(dh) || int8send(c) || int8send(h) || int8send(b)
    || convert_to(body, 'UTF8'))
$$;

CREATE FUNCTION ledger.order_facts(o ledger.orders) RETURNS jsonb LANGUAGE sql STABLE AS $$
  SELECT jsonb_build_object('order_id', o.order_id, 'client_order_id', o.client_order_id,
    'venue_order_id', o.venue_order_id, 'symbol', o.symbol, 'side', o.side, 'type', o.type,
    'quantity', o.quantity, 'price', o.price, 'product', o.product, 'validity', o.validity,
    'status', o.status, 'filled_quantity', o.filled_quantity, 'traded_value', o.traded_value,
    'pending_change', o.pending_change, 'reason_code', o.reason_code, 'reason', o.reason,
    'rules', o.rules, 'created_at', ledger.micros(o.created_at),
    'updated_at', ledger.micros(o.updated_at), 'version', o.version)
$$;

CREATE FUNCTION ledger.holding_facts(p_user bigint, p_symbol text, p_trade_date date)
RETURNS jsonb LANGUAGE sql STABLE AS $$
  SELECT jsonb_build_object('symbol', p_symbol, 'quantity', h.quantity, 'open_sell', h.open_sell,
    'cost', h.cost, 'settled', h.quantity - l.t1 - l.today, 't1', l.t1, 'bought_today', l.today)
  FROM ledger.holding h, LATERAL (
    SELECT coalesce(sum(x.quantity) FILTER (WHERE x.trade_date >= p_trade_date), 0)::bigint AS today,
      coalesce(sum(x.quantity) FILTER (WHERE x.trade_date = (
        SELECT max(y.trade_date) FROM ledger.holding_lot y
        WHERE y.user_id = p_user AND y.symbol = p_symbol AND y.trade_date < p_trade_date
          AND y.trade_date >= p_trade_date - 1)), 0)::bigint AS t1
    FROM ledger.holding_lot x WHERE x.user_id = p_user AND x.symbol = p_symbol) l
  WHERE h.user_id = p_user AND h.symbol = p_symbol
$$;

-- What a working order keeps reserved: cash for a buy (the dearer of what is and what is asked for),
-- shares for a sell. Nothing once it has ended.
CREATE FUNCTION ledger.is_working(status text) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT status IN ('PENDING', 'OPEN', 'PARTIALLY_FILLED')
$$;
CREATE FUNCTION ledger.part_of(reserved bigint, rest bigint, whole bigint)
RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN rest <= 0 THEN 0
              ELSE ceil(reserved::numeric * rest / whole)::bigint END
$$;
CREATE FUNCTION ledger.cash_hold(o ledger.orders) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN o.side <> 'BUY' OR NOT ledger.is_working(o.status) THEN 0
    ELSE greatest(ledger.part_of(o.reserved, o.quantity - o.filled_quantity, o.quantity),
      CASE WHEN o.pending_change = 'MODIFY'
        THEN ledger.part_of(o.pending_reserved, o.pending_quantity - o.filled_quantity, o.pending_quantity)
        ELSE 0 END) END
$$;
CREATE FUNCTION ledger.share_hold(o ledger.orders) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN o.side <> 'SELL' OR NOT ledger.is_working(o.status) THEN 0
    ELSE greatest(0, greatest(o.quantity, coalesce(o.pending_quantity, 0)) - o.filled_quantity) END
$$;

CREATE FUNCTION ledger.order_command(o ledger.orders) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT (jsonb_build_object('v', 1, 'order_id', o.order_id, 'user_id', o.user_id,
      'symbol', o.symbol, 'side', o.side)
    || CASE WHEN o.pending_change IS NULL THEN jsonb_build_object('kind', 'new', 'type', 'LIMIT',
          'validity', o.validity, 'quantity', o.quantity, 'price', o.limit_price)
        WHEN o.pending_change = 'CANCEL' THEN jsonb_build_object('kind', 'cancel',
          'quantity', o.quantity, 'request', o.request, 'original', o.accepted_request)
        ELSE jsonb_build_object('kind', 'replace', 'type', 'LIMIT', 'validity', o.validity,
          'quantity', o.pending_quantity, 'price', o.pending_price,
          'request', o.request, 'original', o.accepted_request) END)::text
$$;

-- Appends one event under the account's lock (the caller holds it) and returns the account after it.
CREATE FUNCTION ledger.append_event(a ledger.account, p_kind text, p_ref bigint, p_cash bigint,
    p_held bigint, p_borrowed bigint, p_at timestamptz, p_body jsonb, p_symbol text, p_command text)
RETURNS ledger.account LANGUAGE plpgsql AS $$
DECLARE text_body text;
BEGIN
  a.at := greatest(a.at, p_at);
  a.cash := a.cash + p_cash;
  a.held := a.held + p_held;
  a.borrowed := a.borrowed + p_borrowed;
  a.seq := a.seq + 1;
  text_body := (p_body || jsonb_build_object('v', 1, 'funds', jsonb_build_object('cash', a.cash,
    'held', a.held, 'borrowed', a.borrowed, 'unsettled', a.unsettled, 'seq', a.seq)))::text;
  a.head := ledger.event_hash(a.head, a.user_id, a.seq, a.at, p_kind, p_ref, p_cash, p_held,
    a.cash, a.held, a.borrowed, text_body);
  INSERT INTO ledger.ledger_event VALUES (a.user_id, a.seq, a.at, p_kind, p_ref, p_cash, p_held,
    a.cash, a.held, a.borrowed, text_body, a.head);
  INSERT INTO ledger.outbox (part, user_id, seq, symbol, command)
    VALUES ((a.user_id & 7)::smallint, a.user_id, a.seq, p_symbol, p_command);
  UPDATE ledger.account SET seq = a.seq, head = a.head, at = a.at, cash = a.cash, held = a.held,
    borrowed = a.borrowed, unsettled = a.unsettled, unsettled_on = a.unsettled_on,
    open_orders = a.open_orders WHERE user_id = a.user_id;
  RETURN a;
END $$;

CREATE FUNCTION ledger.lock_account(p_user bigint) RETURNS ledger.account LANGUAGE plpgsql AS $$
DECLARE a ledger.account;
BEGIN
  SELECT * INTO a FROM ledger.account WHERE user_id = p_user FOR NO KEY UPDATE;
  IF NOT FOUND THEN RAISE EXCEPTION 'no account %', p_user USING ERRCODE = 'OC404'; END IF;
  RETURN a;
END $$;
