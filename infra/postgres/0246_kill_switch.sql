-- A user's own kill switch: from now on nothing that opens.
--
-- Invariants kept here, under the account's lock:
--   * Turning it on is one transaction: the event, and the cancel of every order and plan that could
--     open or enlarge anything. What can only reduce stays and is taken on: a sale of what is held, an
--     exit of a position, stops among them. Who stops in a fright is not left without his stop-losses.
--   * It is apart from what officers set (ledger.account.state): neither lifts the other.
--   * It is turned off no sooner than a time after it was turned on, by the business clock.
--   * Each turn is an event; the row is the latest of them.

CREATE TABLE ledger.kill_switch (
  user_id bigint PRIMARY KEY,
  is_on   boolean NOT NULL,
  since   timestamptz NOT NULL,
  seq     bigint NOT NULL                     -- of the event that turned it
);

CREATE TABLE ledger.kill_switch_rule (        -- how long it stays on at least
  valid_from date PRIMARY KEY,
  minutes    integer NOT NULL CHECK (minutes > 0),
  source     text NOT NULL
);
INSERT INTO ledger.kill_switch_rule VALUES
  ('2023-01-01', 720, 'broker policy: twelve hours, so that it outlives the session');

-- When a switch that was turned on then may be turned off.
CREATE FUNCTION ledger.may_end_at(p_since timestamptz) RETURNS timestamptz LANGUAGE sql STABLE AS $$
  SELECT p_since + make_interval(mins => r.minutes) FROM ledger.kill_switch_rule r
    WHERE r.valid_from <= (p_since AT TIME ZONE 'Asia/Kolkata')::date
    ORDER BY r.valid_from DESC LIMIT 1
$$;

-- Whether a working order can only make smaller what is there: of an intraday one, whether all orders
-- of its side are for no more than the position has open.
CREATE FUNCTION ledger.only_reduces(o ledger.orders) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT CASE WHEN o.product = 'CNC' THEN o.side = 'SELL'
    WHEN ledger.only_exits(o) OR o.client_order_id LIKE 'SQ-%' THEN true
    ELSE (SELECT CASE o.side WHEN 'SELL' THEN p.net >= p.open_sell ELSE -p.net >= p.open_buy END
      FROM ledger.position_of(o) p) END
$$;

-- Writes a turn of the switch, and its event.
CREATE FUNCTION ledger.book_kill_switch(a ledger.account, p_on boolean, p_now timestamptz)
RETURNS ledger.kill_switch LANGUAGE plpgsql AS $$
DECLARE k ledger.kill_switch;
BEGIN
  a := ledger.append_event(a, CASE WHEN p_on THEN 'KILL_SWITCH_ON' ELSE 'KILL_SWITCH_OFF' END, NULL, 0, 0,
    0, p_now, '"kill_switch":' || json_build_object('is_on', p_on)::text, NULL, NULL);
  INSERT INTO ledger.kill_switch AS x VALUES (a.user_id, p_on, a.at, a.seq)
    ON CONFLICT (user_id) DO UPDATE SET is_on = p_on, since = a.at, seq = a.seq RETURNING * INTO k;
  RETURN k;
END $$;

-- How it stands: off for an account that never turned it. may_end_at: null while it is off.
CREATE FUNCTION ledger.kill_switch_of(p_user bigint, p_today date)
RETURNS TABLE (is_on boolean, since timestamptz, may_end_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT coalesce(k.is_on, false), k.since, CASE WHEN k.is_on THEN ledger.may_end_at(k.since) END
  FROM ledger.account_on(p_user, p_today) a LEFT JOIN ledger.kill_switch k ON k.user_id = a.user_id
$$;

-- Turns it on and cancels what could open. Asked again it stays as it is, and what could open by now
-- (an order that a trade taken back opened again) is cancelled, too. Returns what it asked to cancel.
CREATE FUNCTION ledger.turn_on_kill_switch(p_user bigint, p_today date, p_now timestamptz)
RETURNS TABLE (order_id bigint, plan_id bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE a ledger.account; k ledger.kill_switch; r record; v_key text;
BEGIN
  a := ledger.lock_account(p_user, p_today, p_now);
  SELECT * INTO k FROM ledger.kill_switch x WHERE x.user_id = p_user AND x.is_on;
  IF NOT FOUND THEN k := ledger.book_kill_switch(a, true, p_now); END IF;
  v_key := 'kill:' || k.seq;                  -- no id of a client's own has a colon
  FOR r IN SELECT x.plan_id FROM ledger.plan x WHERE x.user_id = p_user AND x.state = 'ACTIVE'
    AND NOT (x.product = 'CNC' AND x.side = 'SELL') ORDER BY x.plan_id
  LOOP
    IF ledger.cancel_plan(p_user, r.plan_id, p_today, p_now, 'cancel ' || v_key || ' ') = 'ACCEPTED' THEN
      RETURN QUERY SELECT NULL::bigint, r.plan_id;
    END IF;
  END LOOP;
  FOR r IN SELECT x.order_id, x.version FROM ledger.orders x WHERE x.user_id = p_user
    AND x.status IN ('PENDING', 'OPEN', 'PARTIALLY_FILLED', 'TRIGGER_PENDING')
    AND NOT ledger.only_reduces(x) ORDER BY x.order_id
  LOOP
    -- The version tells a cancel that the venue refused from the one that comes after it.
    RETURN QUERY SELECT r.order_id, NULL::bigint FROM ledger.request_change(p_user, r.order_id,
      v_key || '-' || r.version, '', NULL, NULL, NULL, NULL, '[]', p_today, p_now, NULL, 0) c
      WHERE c.outcome = 'ACCEPTED';
  END LOOP;
END $$;

-- Turns it off. outcome: OFF, now or before, or WAITS until may_end_at.
CREATE FUNCTION ledger.turn_off_kill_switch(p_user bigint, p_today date, p_now timestamptz)
RETURNS TABLE (outcome text, may_end_at timestamptz)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE a ledger.account; k ledger.kill_switch;
BEGIN
  a := ledger.lock_account(p_user, p_today, p_now);
  SELECT * INTO k FROM ledger.kill_switch x WHERE x.user_id = p_user AND x.is_on;
  outcome := 'OFF';
  IF FOUND THEN
    may_end_at := ledger.may_end_at(k.since);
    IF p_now < may_end_at THEN outcome := 'WAITS'; ELSE PERFORM ledger.book_kill_switch(a, false, p_now); END IF;
  END IF;
  RETURN NEXT;
END $$;

GRANT EXECUTE ON FUNCTION ledger.kill_switch_of, ledger.turn_on_kill_switch,
  ledger.turn_off_kill_switch TO outcry_app;
