-- The ledger of one shard: its tables, and what the database refuses whoever asks.
--
-- Invariants kept here and nowhere else:
--   * The account row is the user's mutex, sequence and chain head. Every change of a user's money,
--     orders or holdings happens under its lock and leaves one event with the state after it.
--   * The event log is append-only and hash-chained per user; the database refuses anything else.
--   * Postings sum to zero per event and asset.
--   * What must leave the database leaves by the outbox row of the same transaction.
-- A table's CHECKs stand in one constraint: PostgreSQL reads each constraint's text anew for every
-- statement that writes the table, a tenth of the time of placing an order when they stood apart.
-- Money in paise, prices in ten-thousandths of a rupee, quantities in shares, times in UTC.

CREATE SCHEMA ledger;

-- Nobody calls a function that is not granted to them by name, in the file that makes it or in 0011;
-- the application reads every table of the ledger.
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES IN SCHEMA ledger GRANT SELECT ON TABLES TO outcry_app;

CREATE TABLE ledger.account (
  user_id      bigint PRIMARY KEY,
  seq          bigint NOT NULL,
  head         bytea NOT NULL,
  at           timestamptz NOT NULL,          -- of the latest event; time never runs backwards in a log
  cash         bigint NOT NULL,
  held         bigint NOT NULL,
  borrowed     bigint NOT NULL,
  unsettled    bigint NOT NULL,               -- sale proceeds that can't leave yet
  blocked      bigint NOT NULL,               -- the part of them that can't be spent yet
  settles_next date NOT NULL,                 -- the earliest day in settlement_due; infinity without one
  open_orders  integer NOT NULL,
  state        text NOT NULL,
  class        text NOT NULL,                 -- of client: how many orders it may place (ledger.order_rate)
  limits       bigint[],                      -- a risk officer's, below everybody's: value of an order in
                                              -- paise, open orders, orders a second, a minute, a day
  CONSTRAINT account_sane CHECK (least(seq, cash, held, borrowed, unsettled, blocked, open_orders) >= 0
    AND state IN ('ACTIVE', 'REDUCING', 'HALTED')
    AND class IN ('RETAIL', 'REGISTERED_ALGO', 'TEST'))
) WITH (fillfactor = 30, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

CREATE TABLE ledger.settlement_due (          -- what of `unsettled` and `blocked` ends on which day
  user_id    bigint NOT NULL,
  settles_on date NOT NULL,
  unsettled  bigint NOT NULL,
  blocked    bigint NOT NULL,
  intraday   bigint NOT NULL,                 -- the part of `blocked` that is intraday profit
  PRIMARY KEY (user_id, settles_on),
  CONSTRAINT settlement_due_sane CHECK (least(unsettled, blocked, intraday) >= 0)
);

-- No foreign key points at account: its check would take a lock on the one row every order needs.
CREATE TABLE ledger.orders (
  order_id         bigint PRIMARY KEY,
  user_id          bigint NOT NULL,
  client_order_id  text NOT NULL,
  fingerprint      bytea NOT NULL,            -- sha256 of the client's request: same id, other body = 409
  symbol           text NOT NULL,
  side             text NOT NULL,
  type             text NOT NULL,
  product          text NOT NULL,
  trade_date       date NOT NULL,             -- of placing: a DAY order lives and is margined that day
  margin_rate      bigint NOT NULL,           -- per 10^9 of the value; 10^9 for delivery
  validity         text NOT NULL,
  quantity         bigint NOT NULL,
  price            bigint,                    -- the client's limit; null for a market order
  disclosed_quantity bigint,                  -- shown at a time; null: all of it
  limit_price      bigint NOT NULL,           -- what the venue is given; protected for a market order
  trigger_price    bigint,                    -- the trade price that it waits for
  trigger_above    boolean,                   -- reached by prices at or above it; else at or below
  releases_at      timestamptz,               -- the time that it waits for
  released_seq     bigint,                    -- the event that handed a waiting order to the venue
  expires_at       timestamptz,               -- when what is left of it ends; null: the venue ends it
  parent_order_id  bigint,                    -- of a GTC order placed again: the first of them; of an
                                              -- exit: the entry whose fill it is for; of a
                                              -- slice: its plan
  group_id         bigint,                    -- of two exits that wait together: the first stop's number
  leg              text,                      -- which of them it is
  stance           text,                      -- of a leg: see 0021_linked_exits.sql; CLOSES: of a
                                              -- stop of a position, 0033_closing_by_hand.sql
  trail            bigint,                    -- of a trailing stop: its distance from the best price
  trail_step       bigint,                    -- how far its trigger moves at least
  exits            jsonb,                     -- of an entry: the legs that its fills bring to life
  reserved         bigint NOT NULL,           -- for the whole quantity, charges included
  charge_rates     bigint[] NOT NULL,         -- per 10^9, heads as in ledger.charge_head; [8] caps
                                              -- the brokerage of the order, in paise (0: no cap)
  charges          bigint[] NOT NULL,         -- booked so far, same heads
  status           text NOT NULL,
  filled_quantity  bigint NOT NULL DEFAULT 0,
  traded_value     bigint NOT NULL DEFAULT 0,
  pending_change   text,
  pending_quantity bigint,
  pending_price    bigint,
  pending_reserved bigint,
  change_keys      text[],                    -- the changes asked for (ledger.with_key): kind, request_id, body;
                                              -- the first is of the one in flight, when one is
  change_seqs      bigint[],                  -- of the events that they were answered by
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
  UNIQUE (user_id, client_order_id),
  CONSTRAINT orders_sane CHECK (quantity > 0 AND reserved >= 0 AND side IN ('BUY', 'SELL')
    AND type IN ('MARKET', 'LIMIT', 'STOP', 'STOP_LIMIT') AND product IN ('CNC', 'MIS')
    AND validity IN ('DAY', 'IOC', 'TTL', 'GTC', 'GTT') AND pending_change IN ('MODIFY', 'CANCEL')
    AND (status <> 'TRIGGER_PENDING' OR expires_at IS NOT NULL) AND leg IN ('STOP', 'TARGET')
    AND stance IN ('LEADS', 'FOLLOWS', 'STANDS_BY', 'CLOSES') AND (leg IS NULL) = (group_id IS NULL)
    AND (trail IS NULL) = (trail_step IS NULL))
) WITH (fillfactor = 70);
CREATE INDEX orders_by_user ON ledger.orders (user_id, order_id DESC);
-- What is at the venue or on its way there; in front, what waits for the venue's answer.
CREATE INDEX orders_working
  ON ledger.orders ((CASE WHEN status = 'PENDING' OR pending_change IS NOT NULL
    THEN 0 ELSE 1 END), order_id)
  WHERE status IN ('PENDING', 'OPEN', 'PARTIALLY_FILLED');

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
  PRIMARY KEY (user_id, seq) INCLUDE (at)     -- so that an instant is looked for in the index alone
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
  settles_on date NOT NULL,
  seq        bigint NOT NULL,                 -- the event it became; 0 for a report that changed nothing
  at         timestamptz NOT NULL,
  PRIMARY KEY (venue, trade_date, exec_id)
);
CREATE INDEX execution_by_order ON ledger.execution (order_id);

CREATE INDEX execution_by_day ON ledger.execution (trade_date, user_id)
  WHERE exec_type IN ('F', 'G');

CREATE TABLE ledger.trade_bust (              -- which trade an event took back, and by which report
  user_id    bigint NOT NULL,
  seq        bigint NOT NULL,                 -- of the event FILL_BUSTED
  venue      smallint NOT NULL,
  trade_date date NOT NULL,
  exec_id    text NOT NULL,                   -- of the trade
  order_id   bigint NOT NULL,
  by_exec_id text NOT NULL,                   -- of the report that said so
  PRIMARY KEY (user_id, seq),
  UNIQUE (venue, trade_date, exec_id)
);
CREATE INDEX trade_bust_by_report ON ledger.trade_bust (order_id, by_exec_id);

CREATE VIEW ledger.trade AS                   -- the trades that stand
  SELECT x.* FROM ledger.execution x WHERE x.exec_type IN ('F', 'G')
    AND NOT EXISTS (SELECT FROM ledger.trade_bust b WHERE b.venue = x.venue
      AND b.trade_date = x.trade_date AND b.exec_id = x.exec_id);

CREATE TABLE ledger.holding (                 -- delivery; what can be sold: quantity - open_sell - pledged
  user_id   bigint NOT NULL,
  symbol    text NOT NULL,
  quantity  bigint NOT NULL,
  open_sell bigint NOT NULL,                  -- may be more than is there once a late sale took it
  pledged   bigint NOT NULL,                  -- of the oldest shares
  cost      bigint NOT NULL,
  PRIMARY KEY (user_id, symbol),
  CONSTRAINT holding_sane CHECK (least(quantity, open_sell, pledged, cost) >= 0)
);

CREATE TABLE ledger.holding_lot (             -- what is left of one buy; sold first in, first out
  user_id    bigint NOT NULL,
  symbol     text NOT NULL,
  lot        bigint NOT NULL,                 -- seq of the event that made it
  trade_date date NOT NULL,
  settles_on date NOT NULL,
  quantity   bigint NOT NULL,
  cost       bigint NOT NULL,
  PRIMARY KEY (user_id, symbol, lot),
  CONSTRAINT holding_lot_sane CHECK (quantity > 0 AND cost >= 0)
);
-- As they are sold, and those of the latest days: a fill looks at the lots it needs and at no others.
CREATE INDEX holding_lot_in_turn ON ledger.holding_lot (user_id, symbol, trade_date, lot);
CREATE INDEX holding_lot_unsettled ON ledger.holding_lot (user_id, symbol, settles_on);

CREATE TABLE ledger.lot_sale (                -- what a sale took from which lot
  user_id    bigint NOT NULL,
  seq        bigint NOT NULL,                 -- of the event that delivered them
  lot        bigint NOT NULL,
  symbol     text NOT NULL,
  acquired   date NOT NULL,
  trade_date date NOT NULL,
  quantity   bigint NOT NULL CHECK (quantity <> 0),  -- below 0: a sale taken back
  cost       bigint NOT NULL,
  proceeds   bigint NOT NULL,                 -- before charges
  PRIMARY KEY (user_id, seq, lot)
);
CREATE INDEX lot_sale_by_day ON ledger.lot_sale (user_id, trade_date, symbol);

CREATE TABLE ledger.position (                -- a symbol's day, long or short: intraday (MIS) trades,
                                              -- and what delivery sales lacked
  user_id       bigint NOT NULL,
  symbol        text NOT NULL,
  trade_date    date NOT NULL,
  margin_rate   bigint NOT NULL,
  net           bigint NOT NULL DEFAULT 0,
  open_value    bigint NOT NULL DEFAULT 0,   -- what the net was entered at
  buy_quantity  bigint NOT NULL DEFAULT 0,
  buy_value     bigint NOT NULL DEFAULT 0,
  sell_quantity bigint NOT NULL DEFAULT 0,
  sell_value    bigint NOT NULL DEFAULT 0,
  realised      bigint NOT NULL DEFAULT 0,
  open_buy      bigint NOT NULL DEFAULT 0,   -- shares of its working orders
  open_sell     bigint NOT NULL DEFAULT 0,
  reserved_buy  bigint NOT NULL DEFAULT 0,   -- what those would need, all opening
  reserved_sell bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (user_id, symbol, trade_date),
  CONSTRAINT position_sane
    CHECK (least(open_value, open_buy, open_sell, reserved_buy, reserved_sell) >= 0)
);

CREATE TABLE ledger.job_entry (               -- what a scheduled job did to an account, once
  job        text NOT NULL,
  day        date NOT NULL,
  user_id    bigint NOT NULL,
  instrument text NOT NULL,
  seq        bigint NOT NULL,
  PRIMARY KEY (job, day, user_id, instrument)
);

-- How much of the proceeds of delivery shares sold stays blocked until they settle, in per cent, by
-- what the shares were: settled ones are delivered early (80 % usable the same day), those bought the
-- day before are not here yet. Shares bought the same day: all but what they cost.
CREATE TABLE ledger.proceeds_rule (
  valid_from      date PRIMARY KEY,
  settled_percent bigint NOT NULL,
  t1_percent      bigint NOT NULL,
  source          text NOT NULL
);
INSERT INTO ledger.proceeds_rule VALUES
  ('2023-01-27', 20, 100, 'T+1 for every security; a broker''s help page on sale proceeds');

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
  ('PENDING', 'VENUE_CANCELLED', 'CANCELLED'), ('OPEN', 'VENUE_CANCELLED', 'CANCELLED'),
  ('PARTIALLY_FILLED', 'VENUE_CANCELLED', 'CANCELLED'),
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
  ('FILLED', 'FULLY_FILLED', 'FILLED'),
  ('PARTIALLY_FILLED', 'REPLACED_DOWN', 'FILLED'),
  ('PARTIALLY_FILLED', 'LEFT_UNFILLED', 'OPEN'), ('FILLED', 'LEFT_UNFILLED', 'OPEN'),
  ('PARTIALLY_FILLED', 'LEFT_PARTLY_FILLED', 'PARTIALLY_FILLED'),
  ('FILLED', 'LEFT_PARTLY_FILLED', 'PARTIALLY_FILLED'),
  ('PARTIALLY_FILLED', 'LEFT_FILLED', 'FILLED'), ('FILLED', 'LEFT_FILLED', 'FILLED'),
  ('CANCELLED', 'LEFT_FILLED', 'FILLED'), ('EXPIRED', 'LEFT_FILLED', 'FILLED'),
  ('PARTIALLY_FILLED', 'LEFT_ENDED', 'CANCELLED'), ('FILLED', 'LEFT_ENDED', 'CANCELLED'),
  ('CANCELLED', 'LEFT_ENDED', 'CANCELLED'), ('EXPIRED', 'LEFT_ENDED', 'EXPIRED'),
  ('TRIGGER_PENDING', 'RELEASED', 'PENDING'), ('TRIGGER_PENDING', 'DENIED', 'DENIED'),
  ('TRIGGER_PENDING', 'MODIFIED', 'TRIGGER_PENDING'), ('TRIGGER_PENDING', 'CANCELLED', 'CANCELLED'),
  ('TRIGGER_PENDING', 'EXPIRED', 'EXPIRED');

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
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.lot_sale
  FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.job_entry
  FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.trade_bust
  FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
