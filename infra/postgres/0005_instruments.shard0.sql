-- The instrument master: facts about what can be traded, dated rows later, one region's shard 0.
CREATE SCHEMA market;
CREATE TABLE market.instrument (
  token          integer PRIMARY KEY,
  exchange       text NOT NULL,
  symbol         text NOT NULL,
  name           text NOT NULL,
  isin           text NOT NULL,               -- empty for an index
  sector         text NOT NULL,
  kind           text NOT NULL CHECK (kind IN ('EQUITY', 'INDEX')),
  tick           bigint NOT NULL,             -- ten-thousandths of a rupee
  lot            bigint NOT NULL,
  band_percent   integer NOT NULL,
  previous_close bigint NOT NULL,             -- a starting value; the feed's close rules while it is live
  series         text NOT NULL DEFAULT 'EQ',  -- some take delivery only; empty for an index
  freeze_quantity bigint NOT NULL DEFAULT 100000,   -- shares; an order above it is not taken
  closing_auction boolean NOT NULL DEFAULT false,   -- has the closing auction, as with derivatives
  UNIQUE (exchange, symbol)
);
GRANT USAGE ON SCHEMA market TO outcry_app, outcry_edge;
GRANT SELECT ON market.instrument TO outcry_app, outcry_edge;
