-- What a person watches: named lists of symbols, in an order of their own.
--
-- Invariants kept here:
--   * A list lives with its user's account: on the user's shard, and moved with the slot.
--   * A write names the version it was made of; one that has moved since is not written over.
--   * A user's writes come one after another (the account's row is locked), so neither the number
--     of lists nor their order is decided by two at once. Nothing of it is money: no event is logged.
CREATE TABLE ledger.watchlist (
  user_id      bigint NOT NULL,
  watchlist_id uuid NOT NULL,
  position     integer NOT NULL CHECK (position >= 0),
  name         text NOT NULL CHECK (length(name) BETWEEN 1 AND 40),
  symbols      text[] NOT NULL,
  version      integer NOT NULL CHECK (version > 0),
  created_at   timestamptz NOT NULL,
  updated_at   timestamptz NOT NULL,
  PRIMARY KEY (user_id, watchlist_id),
  UNIQUE (user_id, name)
);

-- A new list behind the others: the number of its user's lists with it, 0 when there are p_most
-- already. Asked again by the same number it is the same list. NAME_TAKEN is told by a null.
CREATE FUNCTION ledger.new_watchlist(p_user bigint, p_id uuid, p_name text, p_symbols text[],
    p_most integer, p_now timestamptz)
RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_count integer;
BEGIN
  PERFORM ledger.hold_watchlists(p_user);
  IF EXISTS (SELECT FROM ledger.watchlist w WHERE w.user_id = p_user AND w.name = p_name
      AND w.watchlist_id <> p_id) THEN
    RETURN NULL;
  END IF;
  SELECT count(*) INTO v_count FROM ledger.watchlist w
    WHERE w.user_id = p_user AND w.watchlist_id <> p_id;
  IF v_count >= p_most THEN RETURN 0; END IF;
  INSERT INTO ledger.watchlist VALUES (p_user, p_id,
      (SELECT coalesce(max(w.position) + 1, 0) FROM ledger.watchlist w WHERE w.user_id = p_user),
      p_name, p_symbols, 1, p_now, p_now)
    ON CONFLICT (user_id, watchlist_id) DO NOTHING;
  RETURN v_count + 1;
END $$;

-- CHANGED, NOT_FOUND, VERSION_MOVED or NAME_TAKEN. What is null stays; p_position is the place among
-- the user's lists, counted from 0, one beyond the last being the last.
CREATE FUNCTION ledger.change_watchlist(p_user bigint, p_id uuid, p_version integer, p_name text,
    p_symbols text[], p_position integer, p_now timestamptz)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_version integer;
BEGIN
  PERFORM ledger.hold_watchlists(p_user);
  SELECT w.version INTO v_version FROM ledger.watchlist w
    WHERE w.user_id = p_user AND w.watchlist_id = p_id;
  IF NOT FOUND THEN RETURN 'NOT_FOUND'; END IF;
  IF v_version <> p_version THEN RETURN 'VERSION_MOVED'; END IF;
  IF EXISTS (SELECT FROM ledger.watchlist w WHERE w.user_id = p_user AND w.name = p_name
      AND w.watchlist_id <> p_id) THEN
    RETURN 'NAME_TAKEN';
  END IF;
  UPDATE ledger.watchlist w SET name = coalesce(p_name, w.name),
      symbols = coalesce(p_symbols, w.symbols), version = w.version + 1, updated_at = p_now
    WHERE w.user_id = p_user AND w.watchlist_id = p_id;
  IF p_position IS NOT NULL THEN
    UPDATE ledger.watchlist w SET position = r.place FROM (
        SELECT o.watchlist_id, CASE WHEN o.watchlist_id = p_id THEN least(p_position, o.others)
            ELSE o.place + CASE WHEN o.place >= p_position THEN 1 ELSE 0 END END AS place
        FROM (SELECT l.watchlist_id,
            count(*) FILTER (WHERE l.watchlist_id <> p_id) OVER ()::integer AS others,
            count(*) FILTER (WHERE l.watchlist_id <> p_id) OVER (ORDER BY l.position
              ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)::integer AS place
          FROM ledger.watchlist l WHERE l.user_id = p_user) o) r
      WHERE w.user_id = p_user AND w.watchlist_id = r.watchlist_id;
  END IF;
  RETURN 'CHANGED';
END $$;

-- Whether there was such a list.
CREATE FUNCTION ledger.drop_watchlist(p_user bigint, p_id uuid)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM ledger.hold_watchlists(p_user);
  DELETE FROM ledger.watchlist w WHERE w.user_id = p_user AND w.watchlist_id = p_id;
  RETURN FOUND;
END $$;

-- Enters the user's slot and locks the account until the transaction ends. OC404 without an account:
-- rows of nobody would stay behind when the slot moves.
CREATE FUNCTION ledger.hold_watchlists(p_user bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF ledger.enter_slot(p_user) THEN
    PERFORM FROM ledger.account a WHERE a.user_id = p_user FOR NO KEY UPDATE;
  END IF;
  IF NOT FOUND THEN RAISE EXCEPTION 'no account %', p_user USING ERRCODE = 'OC404'; END IF;
END $$;

GRANT SELECT ON ledger.watchlist TO outcry_app;
GRANT EXECUTE ON FUNCTION ledger.new_watchlist, ledger.change_watchlist, ledger.drop_watchlist
  TO outcry_app;
