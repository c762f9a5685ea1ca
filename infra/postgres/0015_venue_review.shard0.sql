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
  PRIMARY KEY (session, kind, subject),
  CONSTRAINT difference_sane CHECK (kind IN ('LOST_ORDER', 'UNKNOWN_ORDER', 'UNEQUAL_ORDER',
    'MISSING_FILL', 'UNKNOWN_FILL', 'UNEQUAL_FILL'))
);

GRANT USAGE ON SCHEMA venue TO outcry_app, outcry_edge;
GRANT SELECT, INSERT, UPDATE ON venue.difference TO outcry_edge;
GRANT SELECT ON venue.difference TO outcry_app;
