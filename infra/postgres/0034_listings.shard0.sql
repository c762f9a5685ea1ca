-- New listings as the venue announces them (35=d): the edge writes them into the instrument master.
--
-- Invariant: a listing adds an instrument and never changes one; told again, or by two processes at
-- once, it is the same instrument. Tokens of such listings are 800001 to 899999.

CREATE FUNCTION market.list_share(p_symbol text, p_name text, p_isin text, p_sector text, p_tick bigint,
    p_lot bigint, p_band_percent integer, p_price bigint)
RETURNS SETOF market.instrument
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('market.list_share'));
  INSERT INTO market.instrument (token, exchange, symbol, name, isin, sector, kind, tick, lot,
      band_percent, previous_close)
    SELECT 1 + coalesce(max(i.token) FILTER (WHERE i.token BETWEEN 800000 AND 899998), 800000),
      'NSE', p_symbol, p_name, p_isin, p_sector, 'EQUITY', p_tick, p_lot, p_band_percent, p_price
    FROM market.instrument i
    ON CONFLICT (exchange, symbol) DO NOTHING;
  RETURN QUERY SELECT * FROM market.instrument i WHERE i.exchange = 'NSE' AND i.symbol = p_symbol;
END $$;

REVOKE EXECUTE ON FUNCTION market.list_share FROM PUBLIC;
GRANT EXECUTE ON FUNCTION market.list_share TO outcry_edge;
