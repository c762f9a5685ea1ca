-- What changed in the instrument master, for whoever keeps a copy of it: the search index and the
-- list of symbols. edge/relay hands each row on to the stream `listings`.
--
-- Invariant: whatever writes the master leaves a change in the same transaction, and the versions of
-- an instrument's states rise. A change that nobody searches by (a price, a tick) leaves none.
CREATE SEQUENCE market.instrument_version;

ALTER TABLE market.instrument
  ADD COLUMN market_cap bigint NOT NULL DEFAULT 0 CHECK (market_cap >= 0),   -- crore rupees; 0: unknown
  ADD COLUMN former text[] NOT NULL DEFAULT '{}',        -- symbols and names that it had
  ADD COLUMN version bigint NOT NULL DEFAULT nextval('market.instrument_version');
GRANT USAGE ON SEQUENCE market.instrument_version TO outcry_app;

CREATE TABLE market.listing_change (
  version bigint PRIMARY KEY,
  kind    text NOT NULL CHECK (kind IN ('NEW_LISTING', 'CHANGED', 'DELISTED')),
  token   integer NOT NULL,
  symbol  text NOT NULL
);
GRANT SELECT ON market.listing_change TO outcry_edge;

CREATE FUNCTION market.note_listing_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_old market.instrument;
BEGIN
  IF TG_OP = 'DELETE' THEN
    INSERT INTO market.listing_change
      VALUES (nextval('market.instrument_version'), 'DELISTED', OLD.token, OLD.symbol);
    RETURN OLD;
  END IF;
  IF TG_OP = 'INSERT' THEN
    INSERT INTO market.listing_change VALUES (NEW.version, 'NEW_LISTING', NEW.token, NEW.symbol);
    RETURN NEW;
  END IF;
  IF (OLD.symbol, OLD.name, OLD.isin, OLD.sector, OLD.kind, OLD.market_cap)
      IS NOT DISTINCT FROM (NEW.symbol, NEW.name, NEW.isin, NEW.sector, NEW.kind, NEW.market_cap) THEN
    RETURN NEW;
  END IF;
  NEW.version := nextval('market.instrument_version');
  v_old := OLD;
  NEW.former := ARRAY(SELECT DISTINCT f.text
    FROM unnest(v_old.former || ARRAY[v_old.symbol, v_old.name]) AS f (text)
    WHERE f.text NOT IN (NEW.symbol, NEW.name) ORDER BY f.text);
  INSERT INTO market.listing_change VALUES (NEW.version, CASE WHEN NEW.kind = OLD.kind THEN 'CHANGED'
    WHEN NEW.kind = 'DELISTED' THEN 'DELISTED' ELSE 'NEW_LISTING' END, NEW.token, NEW.symbol);
  RETURN NEW;
END $$;
REVOKE EXECUTE ON FUNCTION market.note_listing_change FROM PUBLIC;

CREATE TRIGGER note_listing_change BEFORE INSERT OR UPDATE OR DELETE ON market.instrument
  FOR EACH ROW EXECUTE FUNCTION market.note_listing_change();

-- These were handed on. Twice is no error: two relays may overlap at a failover.
CREATE FUNCTION market.take_listing_changes_out(p_versions bigint[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  DELETE FROM market.listing_change c WHERE c.version = ANY(p_versions)
$$;
REVOKE EXECUTE ON FUNCTION market.take_listing_changes_out FROM PUBLIC;
GRANT EXECUTE ON FUNCTION market.take_listing_changes_out TO outcry_edge;
