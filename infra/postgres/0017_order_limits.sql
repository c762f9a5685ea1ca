-- How many orders an account may place in a second, a minute and a day, how often an order may be
-- changed, the cancel that waits for a change to be answered, and the cancel of all orders.
--
-- Invariants kept here:
--   * The orders themselves are the count: their numbers tell their time and user, so there is no
--     counter that could be lost, raced or moved apart from them. It is taken under the account's
--     lock. An order asked for again is not counted again, a cancel is never counted.
--   * A change is in flight alone. A cancel that comes meanwhile is taken and goes out when the venue
--     has answered the change: it was the latest thing asked for.

-- A class without a row has no limit: TEST accounts, on paper only, for load.
CREATE TABLE ledger.order_rate (
  class      text NOT NULL,
  valid_from date NOT NULL,
  per_second integer NOT NULL,
  per_minute integer NOT NULL,
  per_day    integer NOT NULL,
  source     text NOT NULL,
  PRIMARY KEY (class, valid_from)
);
INSERT INTO ledger.order_rate VALUES
  ('RETAIL', '2023-01-01', 10, 400, 5000, 'SEBI CIR/2025/0000013 and NSE INVG67858: ten a second '
    'without a registered strategy; brokers'' published limits a minute and a day'),
  ('REGISTERED_ALGO', '2023-01-01', 10, 400, 5000, 'without a registration in force: as RETAIL');

-- What the exchange registered for a client's strategy.
CREATE TABLE ledger.algo_registration (
  user_id    bigint NOT NULL,
  valid_from date NOT NULL,
  valid_to   date NOT NULL,
  algo_id    text NOT NULL,
  per_second integer NOT NULL,
  per_minute integer NOT NULL,
  per_day    integer NOT NULL,
  PRIMARY KEY (user_id, valid_from),
  CONSTRAINT algo_registration_sane
    CHECK (least(per_second, per_minute, per_day) > 0 AND valid_to >= valid_from)
);

CREATE FUNCTION ledger.register_algo(p_user bigint, p_valid_from date, p_valid_to date, p_algo_id text,
    p_per_second integer, p_per_minute integer, p_per_day integer)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM ledger.lock_account(p_user, '-infinity', clock_timestamp());
  INSERT INTO ledger.algo_registration VALUES (p_user, p_valid_from, p_valid_to, p_algo_id,
    p_per_second, p_per_minute, p_per_day) ON CONFLICT DO NOTHING;
END $$;

-- The most orders that the account may place, and where it is said; no row for an account without
-- limits.
CREATE FUNCTION ledger.rates_of(p_user bigint, p_class text, p_today date)
RETURNS TABLE (per_second integer, per_minute integer, per_day integer, valid_from date, source text)
LANGUAGE sql STABLE AS $$
  SELECT r.per_second, r.per_minute, r.per_day, r.valid_from, 'registration ' || r.algo_id
  FROM ledger.algo_registration r
  WHERE p_class = 'REGISTERED_ALGO' AND r.user_id = p_user AND p_today BETWEEN r.valid_from AND r.valid_to
  UNION ALL
  (SELECT r.per_second, r.per_minute, r.per_day, r.valid_from, r.source FROM ledger.order_rate r
  WHERE r.class = p_class AND r.valid_from <= p_today ORDER BY r.valid_from DESC LIMIT 1)
  LIMIT 1
$$;

-- Whether the broker placed it for the client: squared off, placed again, or an exit beside another. Such
-- orders are neither limited nor counted.
CREATE FUNCTION ledger.is_brokers_own(p_client_order_id text) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
  SELECT p_client_order_id LIKE 'SQ-%' OR p_client_order_id LIKE 'GTC-%'
    OR p_client_order_id LIKE 'LEG:%'
$$;

-- Null while the account may place one more order now, else the limit it has reached and when the
-- oldest order that counts no longer does, in milliseconds. Seconds and minutes are the wall clock's, a
-- day is India's by the business clock, whichever session its orders are for. Each order leaves an
-- event: below a day's number of events no day needs to be counted. p_more: as if that many had just been
-- placed.
CREATE FUNCTION ledger.rate_reached(a ledger.account, p_today date, p_now timestamptz,
    p_more integer DEFAULT 0) RETURNS json
LANGUAGE plpgsql STABLE AS $$
DECLARE r record; v_now bigint := (extract(epoch FROM clock_timestamp()) * 1000)::bigint - 1767225600000;
  v_second bigint; v_minute bigint; v_day bigint := 0;
BEGIN
  SELECT * INTO r FROM ledger.rates_of(a.user_id, a.class, p_today);
  IF NOT FOUND THEN RETURN NULL; END IF;
  IF a.limits IS NOT NULL THEN
    r.per_second := least(r.per_second, a.limits[3]);
    r.per_minute := least(r.per_minute, a.limits[4]);
    r.per_day := least(r.per_day, a.limits[5]);
  END IF;
  SELECT count(*) FILTER (WHERE x.order_id >= (v_now - 999) << 22), count(*) INTO v_second, v_minute
    FROM ledger.orders x WHERE x.user_id = a.user_id AND x.order_id >= (v_now - 59999) << 22
      AND NOT ledger.is_brokers_own(x.client_order_id);
  v_second := v_second + p_more;
  v_minute := v_minute + p_more;
  IF a.seq + p_more >= r.per_day THEN
    SELECT count(*) + p_more INTO v_day FROM ledger.orders x WHERE x.user_id = a.user_id
      AND x.order_id >= (v_now - 86400000) << 22 AND x.created_at
        >= date_trunc('day', p_now AT TIME ZONE 'Asia/Kolkata') AT TIME ZONE 'Asia/Kolkata'
      AND NOT ledger.is_brokers_own(x.client_order_id);
  END IF;
  RETURN CASE
    WHEN v_day >= r.per_day THEN json_build_object('per', 'day', 'most', r.per_day, 'wait_ms',
      (extract(epoch FROM date_trunc('day', clock_timestamp() AT TIME ZONE 'Asia/Kolkata')
        + interval '1 day' - clock_timestamp() AT TIME ZONE 'Asia/Kolkata') * 1000)::bigint)
    WHEN v_minute >= r.per_minute THEN json_build_object('per', 'minute', 'most', r.per_minute,
      'wait_ms', ledger.order_age(a.user_id, r.per_minute - p_more, v_now, 60000))
    WHEN v_second >= r.per_second THEN json_build_object('per', 'second', 'most', r.per_second,
      'wait_ms', ledger.order_age(a.user_id, r.per_second - p_more, v_now, 1000)) END;
END $$;

-- How many more orders than that the account may place at once, up to p_most (room), and what it has
-- reached then; nothing where it may place all of them. For previews: nothing is locked.
CREATE FUNCTION ledger.order_room(p_user bigint, p_today date, p_now timestamptz, p_most integer)
RETURNS TABLE (room integer, reached json)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT n, r.reached FROM ledger.account a, generate_series(0, p_most - 1) n,
    LATERAL (SELECT ledger.rate_reached(a, p_today, p_now, n) AS reached) r
  WHERE a.user_id = p_user AND r.reached IS NOT NULL ORDER BY n LIMIT 1
$$;

-- In how many milliseconds the p_count-th latest order of a user is p_window old; the whole of it for
-- one that is about to be placed (0 or below).
CREATE FUNCTION ledger.order_age(p_user bigint, p_count integer, p_now bigint, p_window bigint)
RETURNS bigint LANGUAGE sql STABLE AS $$
  SELECT coalesce((SELECT greatest(1, (x.order_id >> 22) + p_window - p_now) FROM ledger.orders x
    WHERE p_count > 0 AND x.user_id = p_user AND NOT ledger.is_brokers_own(x.client_order_id)
    ORDER BY x.order_id DESC OFFSET greatest(0, p_count - 1) LIMIT 1), p_window)
$$;

-- What the first order under a client's id was answered.
CREATE FUNCTION ledger.first_answer(o ledger.orders, p_fingerprint bytea)
RETURNS TABLE (outcome text, order_facts text, rules text, available bigint, largest bigint)
LANGUAGE sql STABLE AS $$
  SELECT CASE WHEN o.fingerprint = p_fingerprint THEN 'REPLAY' ELSE 'KEY_REUSED' END,
    (e.body::json -> 'order')::text, coalesce(o.rules, '[]')::text, NULL::bigint, NULL::bigint
  FROM ledger.ledger_event e WHERE e.user_id = o.user_id AND e.seq = o.placed_seq
$$;

-- The answer to an order above the rate: that of the first time for a key that was used, and else
-- RATE_LIMITED with the limit in the place of the rules. Nothing is kept of it.
CREATE FUNCTION ledger.limited_answer(p_user bigint, p_client_order_id text, p_fingerprint bytea,
    p_reached json)
RETURNS TABLE (outcome text, order_facts text, rules text, available bigint, largest bigint)
LANGUAGE plpgsql STABLE AS $$
DECLARE o ledger.orders;
BEGIN
  SELECT * INTO o FROM ledger.orders x
    WHERE x.user_id = p_user AND x.client_order_id = p_client_order_id;
  IF FOUND THEN
    RETURN QUERY SELECT * FROM ledger.first_answer(o, p_fingerprint);
  ELSE
    RETURN QUERY SELECT 'RATE_LIMITED'::text, NULL::text, json_build_array(p_reached)::text,
      NULL::bigint, NULL::bigint;
  END IF;
END $$;

-- The rule on how often an order may be changed, for an order that knows the key of one more change:
-- an array with or without it. A change that was refused by the rules does not count.
CREATE FUNCTION ledger.changes_left(o ledger.orders, p_changes_max integer) RETURNS jsonb
LANGUAGE sql STABLE AS $$
  SELECT CASE WHEN n.changes <= p_changes_max THEN '[]' ELSE jsonb_build_array(ledger.rule(
    'TOO_MANY_CHANGES', 'cancel it and place another', n.changes::text, p_changes_max::text,
    NULL)) END
  FROM (SELECT count(*) AS changes FROM unnest(o.change_keys, o.change_seqs) AS k (key, seq)
    LEFT JOIN ledger.ledger_event e ON e.user_id = o.user_id AND e.seq = k.seq
    WHERE k.key LIKE 'replace %' AND e.kind IS DISTINCT FROM 'CHANGE_DENIED') n
$$;

-- An order whose change was answered, asking for the cancel that waited; b is the order before.
CREATE FUNCTION ledger.with_waiting_cancel(b ledger.orders, n ledger.orders) RETURNS ledger.orders
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE o ledger.orders := n;
BEGIN
  IF ledger.cancel_waits(b) AND o.pending_change IS NULL AND ledger.is_working(o.status) THEN
    o.pending_change := 'CANCEL';
    o.request := o.request + 1;
  END IF;
  RETURN o;
END $$;

-- Asks to cancel every working order of a user, and every plan, of a symbol or a side if given, in one
-- transaction; of a plan only its number is told. p_asked is the client's body in one form. Asked again by
-- the same id, the answer is about the same orders and plans, as they are by then, or KEY_REUSED for another
-- body; a request that found none leaves no trace and is a new one. outcome: ACCEPTED, REPLAY, KEY_REUSED.
CREATE FUNCTION ledger.cancel_all(p_user bigint, p_request_id text, p_asked text, p_symbol text,
    p_side text, p_today date, p_now timestamptz)
RETURNS TABLE (outcome text, order_facts text, plan_number bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE r record; v_known boolean; v_request text := 'all:' || p_request_id;  -- no id of a client's own has a colon
  v_id text := 'cancel ' || v_request || ' ';
BEGIN
  PERFORM ledger.lock_account(p_user, p_today, p_now);
  RETURN QUERY SELECT CASE k.key WHEN v_id || p_asked THEN 'REPLAY' ELSE 'KEY_REUSED' END,
      ledger.order_facts(o)::text, NULL::bigint
    FROM ledger.orders o, unnest(o.change_keys) AS k (key)
    WHERE o.user_id = p_user AND starts_with(k.key, v_id) ORDER BY o.order_id;
  v_known := FOUND;
  RETURN QUERY SELECT CASE e.key WHEN v_id || p_asked THEN 'REPLAY' ELSE 'KEY_REUSED' END, NULL::text, e.ref
    FROM (SELECT x.ref, x.body::json ->> 'change_key' AS key FROM ledger.ledger_event x
      WHERE x.user_id = p_user AND x.kind = 'PLAN_CANCEL_REQUESTED') e
    WHERE starts_with(e.key, v_id) ORDER BY e.ref;
  IF v_known OR FOUND THEN RETURN; END IF;
  -- What places orders by itself ends with them (0022_sliced_orders.sql).
  RETURN QUERY SELECT ledger.cancel_plan(p_user, x.plan_id, p_today, p_now, v_id || p_asked), NULL::text,
      x.plan_id
    FROM (SELECT y.plan_id FROM ledger.plan y WHERE y.user_id = p_user AND y.state = 'ACTIVE'
      AND (p_symbol IS NULL OR y.symbol = p_symbol) AND (p_side IS NULL OR y.side = p_side)
      ORDER BY y.plan_id) x;
  FOR r IN SELECT o.order_id FROM ledger.orders o
    WHERE o.user_id = p_user AND ledger.is_working(o.status)
      AND (p_symbol IS NULL OR o.symbol = p_symbol) AND (p_side IS NULL OR o.side = p_side)
    ORDER BY o.order_id
  LOOP
    RETURN QUERY SELECT 'ACCEPTED'::text, c.order_facts, NULL::bigint FROM ledger.request_change(p_user, r.order_id,
      v_request, p_asked, NULL, NULL, NULL, NULL, '[]', p_today, p_now, NULL, 0) c
      WHERE c.outcome IN ('ACCEPTED', 'REPEATED');
  END LOOP;
END $$;

GRANT EXECUTE ON FUNCTION ledger.first_answer, ledger.register_algo, ledger.rates_of,
  ledger.order_room, ledger.cancel_all TO outcry_app;
