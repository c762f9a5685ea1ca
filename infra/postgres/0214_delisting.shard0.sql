-- A share that is listed no more, and the products that a share may be traded as: dated facts, too.
--
-- Invariants kept here:
--   * A delisted share keeps its row, so what was held of it and traded in it keeps its name; no list that
--     is taken in lists it anew, only a fact of its own kind does.
--   * Delivery (CNC) is always among the products: what is held can be sold.
ALTER TABLE market.instrument
  ADD COLUMN products text NOT NULL DEFAULT 'CNC,MIS'
    CHECK (products ~ '^CNC(,MIS)?(,MTF)?$'),
  DROP CONSTRAINT instrument_kind_check,
  ADD CONSTRAINT instrument_kind_check CHECK (kind IN ('EQUITY', 'INDEX', 'DELISTED'));

ALTER TABLE market.dated_fact DROP CONSTRAINT dated_fact_fact_check,
  ADD CONSTRAINT dated_fact_fact_check CHECK (fact IN ('symbol', 'name', 'isin', 'series', 'sector',
    'lot', 'tick', 'freeze_quantity', 'band_percent', 'closing_auction', 'listed_on', 'market_cap',
    'base_price', 'kind', 'products'));
