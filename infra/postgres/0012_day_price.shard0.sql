-- What each share's trade date came to, in ten-thousandths of a rupee: short deliveries are valued and
-- closed out by it. While the date lasts its row follows the market; afterwards it stands.
CREATE TABLE market.day_price (
  symbol     text NOT NULL,
  trade_date date NOT NULL,
  high       bigint NOT NULL CHECK (high > 0),
  close      bigint NOT NULL CHECK (close > 0),   -- the last price known; the settlement price
  PRIMARY KEY (symbol, trade_date)
);

-- p_prices: a JSON array of {symbol, high, close}.
CREATE FUNCTION market.record_day_prices(p_day date, p_prices text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO market.day_price AS d
    SELECT r.symbol, p_day, r.high, r.close
    FROM json_to_recordset(p_prices::json) AS r (symbol text, high bigint, close bigint)
    ON CONFLICT (symbol, trade_date) DO UPDATE SET high = excluded.high, close = excluded.close
    WHERE (d.high, d.close) <> (excluded.high, excluded.close)
$$;
GRANT SELECT ON market.day_price TO outcry_app;
GRANT EXECUTE ON FUNCTION market.record_day_prices TO outcry_app;
