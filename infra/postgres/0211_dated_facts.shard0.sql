-- Facts of instruments by the date they are valid from: ticks, lots, series and names change on days
-- that are announced before.
--
-- Invariants kept here:
--   * market.instrument is what the facts are on the business day; market.dated_fact is what they were
--     and will be. A fact of a later day waits until market.apply_dated_facts is told that day.
--   * A fact is never taken back: a row of the same day replaces it, and names its own source.
ALTER TABLE market.instrument ADD COLUMN listed_on date;   -- null: not known
CREATE INDEX instrument_isin ON market.instrument (isin);

CREATE TABLE market.dated_fact (
  token      integer NOT NULL,
  fact       text NOT NULL CHECK (fact IN ('symbol', 'name', 'isin', 'series', 'sector', 'lot', 'tick',
               'freeze_quantity', 'band_percent', 'closing_auction', 'listed_on', 'market_cap')),
  valid_from date NOT NULL,              -- -infinity: before the first that is known
  value      text NOT NULL,
  source     text NOT NULL,
  applied    boolean NOT NULL DEFAULT false,
  PRIMARY KEY (token, fact, valid_from)
);
CREATE INDEX dated_fact_waiting ON market.dated_fact (valid_from) WHERE NOT applied;
GRANT SELECT ON market.dated_fact TO outcry_app;

-- Notes what differs from what is known to be valid on that day. How many facts that are.
CREATE FUNCTION market.note_facts(p_known market.instrument, p_facts jsonb, p_from date, p_source text)
RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_fact  text;
  v_value text;
  v_noted integer := 0;
BEGIN
  FOR v_fact, v_value IN SELECT f.key, f.value FROM jsonb_each_text(p_facts) f LOOP
    IF NOT EXISTS (SELECT FROM market.dated_fact d WHERE d.token = p_known.token AND d.fact = v_fact) THEN
      IF to_jsonb(p_known) ->> v_fact IS NOT DISTINCT FROM v_value THEN
        CONTINUE;
      END IF;
      INSERT INTO market.dated_fact
        SELECT p_known.token, v_fact, '-infinity', to_jsonb(p_known) ->> v_fact, 'the first listing', true
        WHERE to_jsonb(p_known) ->> v_fact IS NOT NULL;
    END IF;
    CONTINUE WHEN v_value = (SELECT d.value FROM market.dated_fact d WHERE d.token = p_known.token
      AND d.fact = v_fact AND d.valid_from <= p_from ORDER BY d.valid_from DESC LIMIT 1);
    INSERT INTO market.dated_fact VALUES (p_known.token, v_fact, p_from, v_value, p_source)
      ON CONFLICT (token, fact, valid_from)
      DO UPDATE SET value = excluded.value, source = excluded.source, applied = false;
    v_noted := v_noted + 1;
  END LOOP;
  RETURN v_noted;
END $$;
REVOKE EXECUTE ON FUNCTION market.note_facts FROM PUBLIC;

-- Brings the master to a business day: at most p_most instruments, the rest with the next call. A name
-- that is another's by now waits, and holds up nobody else. How many instruments changed.
CREATE FUNCTION market.apply_dated_facts(p_day date, p_most integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_token   integer;
  v_changed integer := 0;
BEGIN
  FOR v_token IN SELECT DISTINCT d.token FROM market.dated_fact d
      WHERE NOT d.applied AND d.valid_from <= p_day ORDER BY d.token LIMIT p_most LOOP
    BEGIN
      UPDATE market.instrument i SET (symbol, name, isin, series, sector, lot, tick, freeze_quantity,
          band_percent, closing_auction, listed_on, market_cap, base_price, kind, products) =
        (SELECT r.symbol, r.name, r.isin, r.series, r.sector, r.lot, r.tick, r.freeze_quantity,
            r.band_percent, r.closing_auction, r.listed_on, r.market_cap, r.base_price, r.kind,
            r.products
          FROM jsonb_populate_record(i, (SELECT jsonb_object_agg(f.fact, f.value) FROM
            (SELECT DISTINCT ON (d.fact) d.fact, d.value FROM market.dated_fact d
              WHERE d.token = v_token AND d.valid_from <= p_day
              ORDER BY d.fact, d.valid_from DESC) f)) r)
        WHERE i.token = v_token;
      UPDATE market.dated_fact d SET applied = true
        WHERE d.token = v_token AND d.valid_from <= p_day AND NOT d.applied;
      v_changed := v_changed + 1;
    EXCEPTION WHEN unique_violation THEN
      RAISE WARNING 'facts of instrument % wait: its symbol is another''s', v_token;
    END;
  END LOOP;
  RETURN v_changed;
END $$;
REVOKE EXECUTE ON FUNCTION market.apply_dated_facts FROM PUBLIC;
GRANT EXECUTE ON FUNCTION market.apply_dated_facts TO outcry_app;

-- Takes the rows of a list in; p_rows: a JSON array of objects of facts by name, each with a symbol.
-- An instrument is known by its symbol, else by its ISIN: then it was renamed. A new one needs what an
-- order is judged by, and is listed on its day. Tokens are 100001 to 799999. For the owner alone.
CREATE FUNCTION market.import_instruments(p_rows text, p_today date, p_from date, p_source text)
RETURNS TABLE (symbol text, outcome text, detail text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_facts jsonb;
  v_known market.instrument;
  v_token integer;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('market.list_share'));
  SELECT coalesce(max(i.token), 100000) INTO v_token FROM market.instrument i
    WHERE i.token BETWEEN 100000 AND 799999;
  FOR v_facts IN SELECT r.value FROM jsonb_array_elements(p_rows::jsonb) r LOOP
    symbol := v_facts ->> 'symbol';
    detail := '';
    SELECT i.* INTO v_known FROM market.instrument i
      WHERE i.exchange = 'NSE' AND i.symbol = v_facts ->> 'symbol';
    IF NOT FOUND THEN
      SELECT i.* INTO v_known FROM market.instrument i
        WHERE i.exchange = 'NSE' AND i.isin <> '' AND i.isin = v_facts ->> 'isin';
    END IF;
    IF v_known.token IS NULL AND NOT v_facts ?& '{name,isin,series,lot,tick}' THEN
      outcome := 'REFUSED';
      detail := 'not listed yet, and to list it takes its name, ISIN, series, lot and tick';
    ELSIF v_known.token IS NULL AND p_from > p_today THEN
      outcome := 'REFUSED';
      detail := 'not listed yet, and a share is listed on its day, not before';
    ELSIF v_known.token IS NULL AND v_token = 799999 THEN
      outcome := 'REFUSED';
      detail := 'no token is left';
    ELSIF v_known.token IS NULL THEN
      v_token := v_token + 1;
      INSERT INTO market.instrument AS i (token, exchange, symbol, name, isin, sector, kind, tick, lot,
          band_percent, previous_close, series)
        VALUES (v_token, 'NSE', v_facts ->> 'symbol', v_facts ->> 'name', v_facts ->> 'isin',
          coalesce(v_facts ->> 'sector', ''), 'EQUITY', (v_facts ->> 'tick')::bigint,
          (v_facts ->> 'lot')::bigint, coalesce((v_facts ->> 'band_percent')::integer, 20), 0,
          v_facts ->> 'series')
        RETURNING i.* INTO v_known;
      INSERT INTO market.dated_fact SELECT v_known.token, f.key, p_from, f.value, p_source
        FROM jsonb_each_text(v_facts) f;
      outcome := 'LISTED';
    ELSE
      outcome := CASE WHEN market.note_facts(v_known, v_facts, p_from, p_source) = 0 THEN 'UNCHANGED'
        WHEN v_known.symbol <> v_facts ->> 'symbol' THEN 'RENAMED' ELSE 'CHANGED' END;
      IF outcome = 'RENAMED' THEN
        detail := 'was ' || v_known.symbol;
      END IF;
    END IF;
    RETURN NEXT;
  END LOOP;
  PERFORM market.apply_dated_facts(p_today, 1000000);
END $$;
REVOKE EXECUTE ON FUNCTION market.import_instruments FROM PUBLIC;
