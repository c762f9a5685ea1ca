-- What the venue says of our orders and trades that the ledger says otherwise: for a person to look
-- at. The gateway writes it, `outcry reconcile` tells of it; no money is moved by it.
CREATE SCHEMA venue;

CREATE TABLE venue.difference (
  session     text NOT NULL,
  kind        text NOT NULL,
  subject     text NOT NULL,                  -- a ClOrdID, or TRADE DATE/ExecID
  ledger_says text NOT NULL,                  -- empty when it knows nothing of it
  venue_says  text NOT NULL,
  first_seen  timestamptz NOT NULL,
  last_seen   timestamptz NOT NULL,
  settled_at  timestamptz,                    -- when it was found gone
  cancel_request integer,                     -- the number in the ClOrdID of the cancel that the gateway sent
  cancelled_at timestamptz,                   -- and when: an order there that is no working order of ours
  PRIMARY KEY (session, kind, subject),
  CONSTRAINT difference_sane CHECK (kind IN ('LOST_ORDER', 'UNKNOWN_ORDER', 'UNEQUAL_ORDER',
    'MISSING_FILL', 'UNKNOWN_FILL', 'UNEQUAL_FILL'))
);

GRANT USAGE ON SCHEMA venue TO outcry_app, outcry_edge;
GRANT SELECT, INSERT, UPDATE ON venue.difference TO outcry_edge;
GRANT SELECT ON venue.difference TO outcry_app;

-- The fills that the venue's drop-copy session told, their corrections (G) and busts (H, of no quantity),
-- for comparison with those that were booked.
CREATE TABLE venue.fill_copy (
  trade_date    date NOT NULL,
  exec_id       text NOT NULL,
  order_id      bigint NOT NULL,
  quantity      bigint NOT NULL,
  price         bigint NOT NULL,              -- in ten-thousandths of a rupee
  exec_type     text NOT NULL,
  transacted_at timestamptz NOT NULL,         -- the venue's business time
  report        text,                         -- of wire.executions as JSON, until it is found booked
  state         text NOT NULL DEFAULT 'NEW',
  received_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (trade_date, exec_id),
  CONSTRAINT fill_copy_sane CHECK (exec_type IN ('F', 'G', 'H')
    AND least(quantity, price) >= 0 AND (exec_type = 'H') = (quantity = 0)
    AND (exec_type = 'H') = (price = 0) AND state IN ('NEW', 'HANDED_ON', 'BOOKED')
    AND (state = 'BOOKED') = (report IS NULL))
);
CREATE INDEX fill_copy_open ON venue.fill_copy (received_at) WHERE state <> 'BOOKED';

-- Up to when (business time) every booked fill was looked up among the copies; one row.
CREATE TABLE venue.fills_compared (
  the_row boolean PRIMARY KEY DEFAULT true CHECK (the_row),
  through timestamptz NOT NULL
);

GRANT SELECT, INSERT, UPDATE, DELETE ON venue.fill_copy TO outcry_edge;
GRANT SELECT, INSERT, UPDATE ON venue.fills_compared TO outcry_edge;
