-- Orders in slices: a plan (iceberg, TWAP, VWAP), and the orders that it places one after another.
--
-- Invariants kept here:
--   * A plan holds nothing and moves no money. Each slice is an order of its own: judged, reserved and
--     charged as it is placed. The plan's events are in its user's log and say so.
--   * A slice's client order id follows from its plan and number, so it is placed once, whoever asks
--     and however often; what became of it is read from the order.
--   * Under the account's lock a plan has one working order at most, never places beyond its quantity,
--     and places nothing once it was asked to end. It has ended when nothing of it works any more.
--   * A trade that the venue takes back opens a plan again that had ended, where its order works again or
--     it was said to be complete: it ends anew, as what it is by then. Nothing more is placed.
-- Prices in ten-thousandths of a rupee, quantities in shares.

CREATE TABLE ledger.plan (
  plan_id       bigint PRIMARY KEY,           -- out of the numbers of orders: it is their parent
  user_id       bigint NOT NULL,
  client_id     text NOT NULL,
  fingerprint   bytea NOT NULL,               -- sha256 of the client's request
  kind          text NOT NULL,
  symbol        text NOT NULL,
  side          text NOT NULL,
  product       text NOT NULL,
  quantity      bigint NOT NULL,
  price         bigint,                       -- the worst that a slice may trade at; null: protected
  participation integer,                      -- of the market's volume at most, in per cent
  curve         text,                         -- which curve of volume it goes by
  trade_date    date NOT NULL,                -- it lives on that day
  starts_at     timestamptz NOT NULL,
  ends_at       timestamptz NOT NULL,
  state         text NOT NULL,
  reason_code   text,
  reason        text,
  opened_seq    bigint NOT NULL,
  created_at    timestamptz NOT NULL,
  updated_at    timestamptz NOT NULL,
  version       integer NOT NULL,
  UNIQUE (user_id, client_id),
  CONSTRAINT plan_sane CHECK (quantity > 0 AND kind IN ('ICEBERG', 'TWAP', 'VWAP')
    AND side IN ('BUY', 'SELL') AND product IN ('CNC', 'MIS')
    AND state IN ('ACTIVE', 'CANCELLING', 'CANCELLED', 'COMPLETED', 'EXPIRED', 'FAILED'))
);
CREATE INDEX plan_by_user ON ledger.plan (user_id, plan_id DESC);
-- What the schedule works.
CREATE INDEX plan_open ON ledger.plan (plan_id) WHERE state IN ('ACTIVE', 'CANCELLING');

CREATE TABLE ledger.plan_slice (
  user_id       bigint NOT NULL,
  plan_id       bigint NOT NULL,
  number        integer NOT NULL,
  due_at        timestamptz,                  -- null: once the one before is filled
  planned       bigint NOT NULL,
  expected      bigint,                       -- what the market trades until the next, by the curve
  state         text NOT NULL,
  quantity      bigint,                       -- of the order: with what others left, or missed
  order_id      bigint,
  market_volume bigint,                       -- the symbol's of the day, as the order was noted
  PRIMARY KEY (plan_id, number),
  CONSTRAINT plan_slice_sane CHECK (planned >= 0 AND state IN ('WAITING', 'PLACED', 'SKIPPED')
    AND (state <> 'PLACED' OR order_id IS NOT NULL))
);
-- How much of a symbol is traded in which part of a day, on the average of the twenty days before
-- valid_from; '*': of whatever has no row of its own. In buckets from `begins` on, India's time.
CREATE TABLE ledger.volume_curve (
  symbol     text NOT NULL,
  hours      text NOT NULL,
  valid_from date NOT NULL,
  begins     time NOT NULL,
  minutes    integer NOT NULL CHECK (minutes > 0),
  volumes    bigint[] NOT NULL,
  source     text NOT NULL,
  PRIMARY KEY (symbol, hours, valid_from)
);
-- The paper market has no history to average: its curves are assumed, and say so. By NSE's hours a U,
-- three times as much at the open and the close as at noon: 1 + 2 x^2, x from -1 to 1 over the session.
INSERT INTO ledger.volume_curve
  SELECT '*', 'nse', DATE '2023-01-01', TIME '09:15', 15,
    array_agg((8000 * (1 + 2 * power((i - 12) / 12.0, 2)))::bigint ORDER BY i),
    'assumed for the paper market: a U-shape, not observed' FROM generate_series(0, 24) i
  UNION ALL SELECT '*', 'always-open', DATE '2023-01-01', TIME '00:00', 15,
    array_fill(8000::bigint, ARRAY[96]),
    'assumed for the paper market: as much at any hour, not observed';

CREATE INDEX orders_of_plans ON ledger.orders (parent_order_id) WHERE client_order_id LIKE 'PL-%';

-- By which request a plan was asked to end (ledger.cancel_all).
CREATE INDEX plan_cancels ON ledger.ledger_event (user_id) WHERE kind = 'PLAN_CANCEL_REQUESTED';

-- Which slice of its plan an order is.
CREATE FUNCTION ledger.slice_of(o ledger.orders) RETURNS integer LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN o.client_order_id LIKE 'PL-%' THEN split_part(o.client_order_id, '-', 3)::integer END
$$;

CREATE FUNCTION ledger.plan_facts(p ledger.plan) RETURNS json LANGUAGE sql STABLE AS $$
  SELECT json_build_object('plan_id', p.plan_id, 'client_id', p.client_id, 'kind', p.kind,
    'symbol', p.symbol, 'side', p.side, 'product', p.product, 'quantity', p.quantity,
    'price', p.price, 'participation', p.participation, 'curve', p.curve,
    'trade_date', p.trade_date,
    'starts_at', ledger.micros(p.starts_at), 'ends_at', ledger.micros(p.ends_at),
    'state', p.state, 'reason_code', p.reason_code, 'reason', p.reason,
    'created_at', ledger.micros(p.created_at), 'updated_at', ledger.micros(p.updated_at),
    'version', p.version)
$$;

-- A plan's slices as they stand, each with its order, whether that was noted yet or not.
CREATE FUNCTION ledger.plan_slices(p ledger.plan) RETURNS json LANGUAGE sql STABLE AS $$
  SELECT json_agg(json_build_object('number', s.number, 'due_at', ledger.micros(s.due_at),
    'planned', s.planned, 'expected', s.expected, 'state', s.state, 'quantity', s.quantity,
    'market_volume', s.market_volume, 'noted', s.order_id IS NOT NULL,
    'order', CASE WHEN o.order_id IS NOT NULL THEN json_build_object('order_id', o.order_id,
      'status', o.status, 'quantity', o.quantity, 'filled_quantity', o.filled_quantity,
      'traded_value', o.traded_value, 'pending_change', o.pending_change,
      'cancel_waits', ledger.cancel_waits(o),
      'reason_code', o.reason_code, 'reason', o.reason) END) ORDER BY s.number)
  FROM ledger.plan_slice s LEFT JOIN ledger.orders o ON o.parent_order_id = s.plan_id
    AND o.client_order_id LIKE 'PL-%' AND o.user_id = s.user_id AND ledger.slice_of(o) = s.number
  WHERE s.plan_id = p.plan_id
$$;

-- Opens a plan. p_plan: a JSON object with the columns that the client decides; p_slices: a JSON array
-- of {due_at, planned, expected}. outcome: OPENED, REPLAY, KEY_REUSED, or TOO_MANY: the account has so many open.
CREATE FUNCTION ledger.open_plan(p_user bigint, p_plan text, p_slices text, p_fingerprint bytea,
    p_plans_max integer, p_today date, p_now timestamptz)
RETURNS TABLE (outcome text, plan_number bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE a ledger.account; p ledger.plan; v_known ledger.plan;
BEGIN
  a := ledger.lock_account(p_user, p_today, p_now);
  p := jsonb_populate_record(NULL::ledger.plan, p_plan::jsonb);
  SELECT * INTO v_known FROM ledger.plan x WHERE x.user_id = p_user AND x.client_id = p.client_id;
  IF FOUND THEN
    RETURN QUERY SELECT CASE WHEN v_known.fingerprint = p_fingerprint THEN 'REPLAY'
      ELSE 'KEY_REUSED' END, v_known.plan_id;
    RETURN;
  END IF;
  IF (SELECT count(*) FROM ledger.plan x WHERE x.user_id = p_user
      AND x.state IN ('ACTIVE', 'CANCELLING')) >= p_plans_max THEN
    RETURN QUERY SELECT 'TOO_MANY'::text, NULL::bigint;
    RETURN;
  END IF;
  p.plan_id := ledger.new_order_id(p_user);
  p.user_id := p_user; p.fingerprint := p_fingerprint; p.state := 'ACTIVE';
  p.opened_seq := a.seq + 1; p.created_at := p_now; p.updated_at := p_now; p.version := 1;
  INSERT INTO ledger.plan SELECT (p).*;
  INSERT INTO ledger.plan_slice (user_id, plan_id, number, due_at, planned, expected, state)
    SELECT p_user, p.plan_id, s.ordinality, (s.value ->> 'due_at')::timestamptz,
      (s.value ->> 'planned')::bigint, (s.value ->> 'expected')::bigint, 'WAITING'
    FROM jsonb_array_elements(p_slices::jsonb) WITH ORDINALITY s;
  a := ledger.append_event(a, 'PLAN_OPENED', p.plan_id, 0, 0, 0, p_now,
    '"plan":' || ledger.plan_facts(p)::text || ',"fingerprint":"' || encode(p_fingerprint, 'hex')
      || '","slices":' || (SELECT json_agg(json_build_object('due_at', ledger.micros(s.due_at),
        'planned', s.planned, 'expected', s.expected) ORDER BY s.number) FROM ledger.plan_slice s
        WHERE s.plan_id = p.plan_id)::text, p.symbol, NULL);
  RETURN QUERY SELECT 'OPENED'::text, p.plan_id;
END $$;

-- What stands against a plan's next order, for ledger.terms_rules: nothing for any other order.
CREATE FUNCTION ledger.plan_rules(o ledger.orders) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
DECLARE p ledger.plan; c record;
BEGIN
  IF o.client_order_id NOT LIKE 'PL-%' THEN RETURN '[]'; END IF;
  SELECT * INTO STRICT p FROM ledger.plan x
    WHERE x.plan_id = o.parent_order_id AND x.user_id = o.user_id;
  IF p.state <> 'ACTIVE' THEN
    RETURN jsonb_build_array(ledger.rule('PLAN_ENDED', 'the plan places no more', p.state,
      'ACTIVE', 0));
  END IF;
  SELECT coalesce(sum(x.filled_quantity), 0)::bigint AS filled,
      coalesce(bool_or(ledger.is_working(x.status)), false) AS works INTO c
    FROM ledger.orders x WHERE x.parent_order_id = p.plan_id AND x.user_id = p.user_id
      AND x.client_order_id LIKE 'PL-%';
  IF c.works THEN
    RETURN jsonb_build_array(ledger.rule('PLAN_BUSY', 'an order of the plan works still', 'WORKING',
      'ENDED', 0));
  ELSIF c.filled + o.quantity > p.quantity THEN
    RETURN jsonb_build_array(ledger.rule('PLAN_FULL', 'more than is left of the plan',
      o.quantity::text, (p.quantity - c.filled)::text, p.quantity - c.filled));
  END IF;
  RETURN '[]';
END $$;

-- Writes a plan's next state with its event.
CREATE FUNCTION ledger.book_plan(a ledger.account, n ledger.plan, p_kind text, p_more text,
    p_now timestamptz)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE p ledger.plan := n;
BEGIN
  p.updated_at := p_now;
  p.version := n.version + 1;
  UPDATE ledger.plan x SET state = p.state, reason_code = p.reason_code, reason = p.reason,
    updated_at = p.updated_at, version = p.version WHERE x.plan_id = p.plan_id;
  PERFORM ledger.append_event(a, p_kind, p.plan_id, 0, 0, 0, p_now,
    '"plan":' || ledger.plan_facts(p)::text || p_more, p.symbol, NULL);
END $$;

-- Notes the order that a slice became; those before it that had none are missed. True when it was noted
-- now: a slice is noted once, also when its plan was asked to end since it was placed.
CREATE FUNCTION ledger.note_slice(p_user bigint, p_plan bigint, p_number integer,
    p_market_volume bigint, p_today date, p_now timestamptz)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE a ledger.account; p ledger.plan; o ledger.orders;
BEGIN
  a := ledger.lock_account(p_user, p_today, p_now);
  SELECT * INTO p FROM ledger.plan x WHERE x.plan_id = p_plan AND x.user_id = p_user;
  SELECT * INTO o FROM ledger.orders x WHERE x.user_id = p_user
    AND x.client_order_id = 'PL-' || p_plan || '-' || p_number;
  UPDATE ledger.plan_slice s SET state = 'PLACED', quantity = o.quantity, order_id = o.order_id,
    market_volume = p_market_volume
    WHERE s.plan_id = p_plan AND s.number = p_number AND s.order_id IS NULL
      AND o.order_id IS NOT NULL AND p.user_id IS NOT NULL;
  IF NOT FOUND THEN RETURN false; END IF;
  UPDATE ledger.plan_slice s SET state = 'SKIPPED'
    WHERE s.plan_id = p_plan AND s.number < p_number AND s.state = 'WAITING';
  PERFORM ledger.book_plan(a, p, 'PLAN_SLICE_PLACED', ',"slice":' || json_build_object(
    'number', p_number, 'order_id', o.order_id, 'quantity', o.quantity,
    'market_volume', p_market_volume)::text, p_now);
  RETURN true;
END $$;

-- Asks a plan to end: it places nothing from here on. p_key: of the cancel of all orders that asks for it,
-- kept in the event. outcome: ACCEPTED, REPEATED, NOT_WORKING (it has ended), NOT_FOUND.
CREATE FUNCTION ledger.cancel_plan(p_user bigint, p_plan bigint, p_today date, p_now timestamptz,
    p_key text DEFAULT NULL)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE a ledger.account; p ledger.plan;
BEGIN
  a := ledger.lock_account(p_user, p_today, p_now);
  SELECT * INTO p FROM ledger.plan x WHERE x.plan_id = p_plan AND x.user_id = p_user;
  IF NOT FOUND THEN RETURN 'NOT_FOUND'; END IF;
  IF p.state = 'CANCELLING' THEN RETURN 'REPEATED'; END IF;
  IF p.state <> 'ACTIVE' THEN RETURN 'NOT_WORKING'; END IF;
  p.state := 'CANCELLING';
  PERFORM ledger.book_plan(a, p, 'PLAN_CANCEL_REQUESTED',
    coalesce(',"change_key":' || to_json(p_key)::text, ''), p_now);
  RETURN 'ACCEPTED';
END $$;

-- Ends a plan of which nothing works and everything is noted; true when it ended now. All filled, it is
-- COMPLETED whatever it was asked to be; and CANCELLED when its client had asked for that.
CREATE FUNCTION ledger.end_plan(p_user bigint, p_plan bigint, p_state text, p_code text,
    p_reason text, p_today date, p_now timestamptz)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE a ledger.account; p ledger.plan; c record;
BEGIN
  a := ledger.lock_account(p_user, p_today, p_now);
  SELECT * INTO p FROM ledger.plan x WHERE x.plan_id = p_plan AND x.user_id = p_user
    AND x.state IN ('ACTIVE', 'CANCELLING');
  IF NOT FOUND THEN RETURN false; END IF;
  SELECT coalesce(sum(o.filled_quantity), 0)::bigint AS filled,
      count(*) FILTER (WHERE ledger.is_working(o.status) OR NOT EXISTS (
        SELECT FROM ledger.plan_slice s WHERE s.plan_id = p_plan AND s.order_id = o.order_id)) AS left
    INTO c FROM ledger.orders o WHERE o.parent_order_id = p_plan AND o.user_id = p_user
      AND o.client_order_id LIKE 'PL-%';
  IF c.left > 0 OR (p_state = 'COMPLETED' AND c.filled < p.quantity) THEN RETURN false; END IF;
  IF c.filled >= p.quantity THEN
    p.state := 'COMPLETED';
  ELSIF p.state = 'CANCELLING' THEN
    p.state := 'CANCELLED';
  ELSE
    p.state := p_state; p.reason_code := p_code; p.reason := p_reason;
  END IF;
  UPDATE ledger.plan_slice s SET state = 'SKIPPED' WHERE s.plan_id = p_plan AND s.state = 'WAITING';
  PERFORM ledger.book_plan(a, p, 'PLAN_ENDED', ',"filled":' || c.filled, p_now);
  RETURN true;
END $$;

-- Opens the plan of an order again of which a trade was taken back or corrected, where that leaves the order
-- working, or less filled than a plan that is COMPLETED says. No plan of an order: nothing.
CREATE FUNCTION ledger.reopen_plan(p_user bigint, p_order bigint, p_now timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE p ledger.plan; c record;
BEGIN
  SELECT x.* INTO p FROM ledger.plan x JOIN ledger.orders o ON o.user_id = x.user_id
      AND o.parent_order_id = x.plan_id AND o.client_order_id LIKE 'PL-%'
    WHERE o.order_id = p_order AND o.user_id = p_user AND x.state NOT IN ('ACTIVE', 'CANCELLING');
  IF NOT FOUND THEN RETURN; END IF;
  SELECT sum(o.filled_quantity) AS filled, bool_or(ledger.is_working(o.status)) AS works INTO c
    FROM ledger.orders o WHERE o.parent_order_id = p.plan_id AND o.user_id = p_user
      AND o.client_order_id LIKE 'PL-%';
  IF NOT c.works AND (p.state <> 'COMPLETED' OR c.filled >= p.quantity) THEN RETURN; END IF;
  p.state := CASE WHEN p.state = 'CANCELLED' AND p.reason_code IS NULL  -- its client had asked
    THEN 'CANCELLING' ELSE 'ACTIVE' END;
  p.reason_code := NULL; p.reason := NULL;
  PERFORM ledger.book_plan(ledger.locked_account(p_user), p, 'PLAN_REOPENED',
    ledger.cause('TRADE_AMENDED', p_order), p_now);
END $$;

GRANT EXECUTE ON FUNCTION ledger.plan_facts, ledger.plan_slices, ledger.slice_of, ledger.open_plan,
  ledger.note_slice, ledger.cancel_plan, ledger.end_plan TO outcry_app;
