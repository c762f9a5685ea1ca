-- The price of a share that has no close yet: what its first orders are judged by.
--
-- Invariant: a base price is a dated fact and never a close, so ingest still asks the venue for a share
-- once that has told of it, and a close that is known goes before it.
ALTER TABLE market.instrument ADD COLUMN base_price bigint NOT NULL DEFAULT 0   -- 0: not known
  CHECK (base_price >= 0);

ALTER TABLE market.dated_fact DROP CONSTRAINT dated_fact_fact_check,
  ADD CONSTRAINT dated_fact_fact_check CHECK (fact IN ('symbol', 'name', 'isin', 'series', 'sector',
    'lot', 'tick', 'freeze_quantity', 'band_percent', 'closing_auction', 'listed_on', 'market_cap',
    'base_price'));
