-- Opening, funding and placing: each one call, one round trip, decided under the account's lock.
-- A refusal is a returned value and an event, never an exception. Functions run as their owner, so
-- the application's role can't write a money table in any other way.

CREATE FUNCTION ledger.open_account(p_user bigint, p_now timestamptz) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE a ledger.account;
BEGIN
  INSERT INTO ledger.account VALUES (p_user, 0, sha256(int8send(p_user)), p_now, 0, 0, 0, 0,
    '-infinity', 0, 'ACTIVE') ON CONFLICT (user_id) DO NOTHING;
  a := ledger.lock_account(p_user);
  IF a.seq = 0 THEN
    a := ledger.append_event(a, 'ACCOUNT_OPENED', NULL, 0, 0, 0, p_now, '{}', NULL, NULL);
  END IF;
  RETURN a.seq;
END $$;

-- Idempotent on (user, client_id): DONE, REPLAY, or KEY_REUSED when the amount differs.
CREATE FUNCTION ledger.deposit(p_user bigint, p_client_id text, p_amount bigint, p_now timestamptz)
RETURNS TABLE (outcome text, funds text, seq bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE a ledger.account; d ledger.deposit;
BEGIN
  a := ledger.lock_account(p_user);
  SELECT * INTO d FROM ledger.deposit x WHERE x.user_id = p_user AND x.client_id = p_client_id;
  IF FOUND THEN
    RETURN QUERY SELECT CASE WHEN d.amount = p_amount THEN 'REPLAY' ELSE 'KEY_REUSED' END,
      (e.body::jsonb -> 'funds')::text, d.seq
      FROM ledger.ledger_event e WHERE e.user_id = p_user AND e.seq = d.seq;
    RETURN;
  END IF;
  a := ledger.append_event(a, 'DEPOSITED', NULL, p_amount, 0, 0, p_now, '{}', NULL, NULL);
  INSERT INTO ledger.deposit VALUES (p_user, p_client_id, p_amount, a.seq);
  INSERT INTO ledger.posting VALUES (p_user, a.seq, 1, 'client:cash', 'INR', p_amount),
    (p_user, a.seq, 2, 'house:bank', 'INR', -p_amount);
  RETURN QUERY SELECT 'DONE'::text, (e.body::jsonb -> 'funds')::text, a.seq
    FROM ledger.ledger_event e WHERE e.user_id = p_user AND e.seq = a.seq;
END $$;

CREATE FUNCTION ledger.new_order_id(p_user bigint) RETURNS bigint LANGUAGE sql VOLATILE AS $$
  -- 42 bits of milliseconds since 2026, 6 of slot, 16 of sequence: ordered by time, unique in a slot
  SELECT (((extract(epoch FROM clock_timestamp()) * 1000)::bigint - 1767225600000) << 22)
    | ((p_user & 63) << 16) | (nextval('ledger.order_number') & 65535)
$$;

-- One rule that failed, in the shape every refusal has.
CREATE FUNCTION ledger.rule(p_code text, p_message text, p_value text, p_limit text, p_largest bigint)
RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
  SELECT jsonb_build_object('code', p_code, 'message', p_message, 'value', p_value, 'limit', p_limit,
    'nearest', NULL, 'largest_quantity', p_largest)
$$;
CREATE FUNCTION ledger.rupees(paise bigint) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT (paise::numeric / 100)::numeric(20, 2)::text
$$;

-- The rules that other orders can change: cash, shares, open orders, the account's state.
CREATE FUNCTION ledger.judge(a ledger.account, p_symbol text, p_side text, p_quantity bigint,
    p_reserved bigint, p_open_orders_max integer, OUT rules jsonb, OUT largest bigint)
LANGUAGE plpgsql STABLE AS $$
DECLARE available bigint := a.cash - a.held; free bigint;
BEGIN
  rules := '[]';
  IF a.state = 'HALTED' OR (a.state = 'REDUCING' AND p_side = 'BUY') THEN
    rules := rules || ledger.rule('ACCOUNT_' || a.state, 'the account takes no such orders', a.state,
      'ACTIVE', 0);
  END IF;
  IF EXISTS (SELECT FROM ledger.parked_execution x WHERE x.user_id = a.user_id) THEN
    -- What the venue said of this account is not booked yet: its cash and shares can't be trusted.
    rules := rules || ledger.rule('ACCOUNT_UNDER_REVIEW', 'a report of the venue awaits review',
      'UNDER_REVIEW', 'ACTIVE', 0);
  END IF;
  IF a.open_orders >= p_open_orders_max THEN
    rules := rules || ledger.rule('TOO_MANY_OPEN_ORDERS', 'cancel one first',
      (a.open_orders + 1)::text, p_open_orders_max::text, 0);
  END IF;
  IF p_side = 'BUY' THEN
    largest := CASE WHEN p_reserved <= 0 THEN p_quantity
      ELSE greatest(0, floor(available::numeric * p_quantity / p_reserved))::bigint END;
    IF p_reserved > available THEN
      rules := rules || ledger.rule('INSUFFICIENT_FUNDS', 'the order needs more than is available',
        ledger.rupees(p_reserved), ledger.rupees(available), largest);
    END IF;
  ELSE
    SELECT h.quantity - h.open_sell INTO free FROM ledger.holding h
      WHERE h.user_id = a.user_id AND h.symbol = p_symbol;
    largest := greatest(0, coalesce(free, 0));
    IF p_quantity > largest THEN
      rules := rules || ledger.rule('INSUFFICIENT_HOLDINGS', 'more than is held and not in an open sell',
        p_quantity::text, largest::text, largest);
    END IF;
  END IF;
END $$;

-- Places an order, or (p_write false) says what placing it would answer and writes nothing.
-- outcome: ACCEPTED, DENIED, REPLAY (then order_facts is the first answer), KEY_REUSED.
CREATE FUNCTION ledger.place_order(p_user bigint, p_client_order_id text, p_fingerprint bytea,
    p_symbol text, p_side text, p_type text, p_product text, p_validity text, p_quantity bigint,
    p_price bigint, p_limit_price bigint, p_reserved bigint, p_charge_rates bigint[], p_verdict text,
    p_context text, p_open_orders_max integer, p_now timestamptz, p_write boolean)
RETURNS TABLE (outcome text, order_facts text, rules text, available bigint, largest bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE a ledger.account; o ledger.orders; j record; v_rules jsonb := p_verdict::jsonb; ok boolean;
  v_hold bigint;
BEGIN
  IF p_write THEN
    SELECT * INTO o FROM ledger.orders x
      WHERE x.user_id = p_user AND x.client_order_id = p_client_order_id;
    IF FOUND THEN
      RETURN QUERY SELECT * FROM ledger.first_answer(o, p_fingerprint);
      RETURN;
    END IF;
    a := ledger.lock_account(p_user);
  ELSE
    SELECT * INTO a FROM ledger.account x WHERE x.user_id = p_user;
    IF NOT FOUND THEN RAISE EXCEPTION 'no account %', p_user USING ERRCODE = 'OC404'; END IF;
  END IF;
  SELECT * INTO j FROM ledger.judge(a, p_symbol, p_side, p_quantity, p_reserved, p_open_orders_max);
  v_rules := v_rules || j.rules;
  ok := v_rules = '[]';
  IF NOT p_write THEN
    RETURN QUERY SELECT CASE WHEN ok THEN 'ACCEPTED' ELSE 'DENIED' END, NULL::text, v_rules::text,
      a.cash - a.held, j.largest;
    RETURN;
  END IF;
  INSERT INTO ledger.orders AS x (order_id, user_id, client_order_id, fingerprint, symbol, side, type,
      product, validity, quantity, price, limit_price, reserved, charge_rates, charges, status,
      reason_code, reason, rules, context, placed_seq, created_at, updated_at)
    VALUES (ledger.new_order_id(p_user), p_user, p_client_order_id, p_fingerprint, p_symbol, p_side,
      p_type, p_product, p_validity, p_quantity, p_price, p_limit_price, p_reserved, p_charge_rates,
      '{0,0,0,0,0,0,0}', CASE WHEN ok THEN 'PENDING' ELSE 'DENIED' END,
      CASE WHEN ok THEN NULL ELSE v_rules -> 0 ->> 'code' END,
      CASE WHEN ok THEN NULL ELSE v_rules -> 0 ->> 'message' END,
      CASE WHEN ok THEN NULL ELSE v_rules END, p_context, a.seq + 1, p_now, p_now)
    ON CONFLICT (user_id, client_order_id) DO NOTHING RETURNING * INTO o;
  IF NOT FOUND THEN  -- a twin of this request held the lock before us; a new statement sees its row
    SELECT * INTO o FROM ledger.orders x
      WHERE x.user_id = p_user AND x.client_order_id = p_client_order_id;
    RETURN QUERY SELECT * FROM ledger.first_answer(o, p_fingerprint);
    RETURN;
  END IF;
  v_hold := ledger.cash_hold(o);
  IF ok THEN
    a.open_orders := a.open_orders + 1;
    IF p_side = 'SELL' THEN
      UPDATE ledger.holding h SET open_sell = h.open_sell + p_quantity
        WHERE h.user_id = p_user AND h.symbol = p_symbol;
    END IF;
  END IF;
  a := ledger.append_event(a, CASE WHEN ok THEN 'ORDER_PLACED' ELSE 'ORDER_DENIED' END, o.order_id,
    0, v_hold, 0, p_now, jsonb_build_object('order', ledger.order_facts(o), 'context', p_context::jsonb),
    p_symbol, CASE WHEN ok THEN ledger.order_command(o) END);
  RETURN QUERY SELECT CASE WHEN ok THEN 'ACCEPTED' ELSE 'DENIED' END, ledger.order_facts(o)::text,
    v_rules::text, a.cash - a.held, j.largest;
END $$;

CREATE FUNCTION ledger.first_answer(o ledger.orders, p_fingerprint bytea)
RETURNS TABLE (outcome text, order_facts text, rules text, available bigint, largest bigint)
LANGUAGE sql STABLE AS $$
  SELECT CASE WHEN o.fingerprint = p_fingerprint THEN 'REPLAY' ELSE 'KEY_REUSED' END,
    (e.body::jsonb -> 'order')::text, coalesce(o.rules, '[]')::text, NULL::bigint, NULL::bigint
  FROM ledger.ledger_event e WHERE e.user_id = o.user_id AND e.seq = o.placed_seq
$$;

-- Asks the venue to cancel (p_quantity null) or to replace. Idempotent on the order's request_id.
-- outcome: ACCEPTED, REPLAY, NOT_FOUND, NOT_WORKING, IN_FLIGHT, VERSION_MOVED, DENIED, BELOW_FILLED.
CREATE FUNCTION ledger.request_change(p_user bigint, p_order bigint, p_request_id text,
    p_version integer, p_quantity bigint, p_price bigint, p_reserved bigint, p_verdict text,
    p_now timestamptz)
RETURNS TABLE (outcome text, order_facts text, rules text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE a ledger.account; o ledger.orders; v_rules jsonb := p_verdict::jsonb; j record;
  v_cash bigint; v_shares bigint; v_cash_before bigint; v_shares_before bigint; v_largest bigint;
  v_cancel boolean := p_quantity IS NULL; v_outcome text;
BEGIN
  a := ledger.lock_account(p_user);
  SELECT * INTO o FROM ledger.orders x WHERE x.order_id = p_order AND x.user_id = p_user;
  IF NOT FOUND THEN
    RETURN QUERY SELECT 'NOT_FOUND'::text, NULL::text, '[]'::text;
    RETURN;
  END IF;
  v_outcome := CASE WHEN o.change_key = p_request_id THEN 'REPLAY'
    WHEN v_cancel AND o.pending_change = 'CANCEL' THEN 'REPLAY'
    WHEN NOT ledger.is_working(o.status) THEN 'NOT_WORKING'
    WHEN o.pending_change IS NOT NULL THEN 'IN_FLIGHT'
    WHEN p_version IS NOT NULL AND p_version <> o.version THEN 'VERSION_MOVED'
    WHEN NOT v_cancel AND p_quantity <= o.filled_quantity THEN 'BELOW_FILLED' END;
  IF v_outcome IS NOT NULL THEN
    RETURN QUERY SELECT v_outcome, ledger.order_facts(o)::text, '[]'::text;
    RETURN;
  END IF;
  v_cash_before := ledger.cash_hold(o);
  v_shares_before := ledger.share_hold(o);
  o.pending_change := CASE WHEN v_cancel THEN 'CANCEL' ELSE 'MODIFY' END;
  o.pending_quantity := p_quantity;
  o.pending_price := p_price;
  o.pending_reserved := p_reserved;
  o.change_key := p_request_id;
  o.request := o.request + 1;
  o.updated_at := p_now;
  o.version := o.version + 1;
  v_cash := ledger.cash_hold(o) - v_cash_before;
  v_shares := ledger.share_hold(o) - v_shares_before;
  IF NOT v_cancel THEN  -- only what the change adds is judged against what is free
    SELECT * INTO j FROM ledger.judge(a, o.symbol, o.side, greatest(v_shares, 0), v_cash, 2147483647);
    -- The largest total: what is filled, and what is free together with what the order holds now.
    v_largest := o.filled_quantity + CASE WHEN o.side = 'SELL' THEN j.largest + v_shares_before
      WHEN p_reserved <= 0 THEN p_quantity
      ELSE floor(greatest(0, a.cash - a.held + v_cash_before)::numeric
        * p_quantity / p_reserved)::bigint END;
    v_rules := v_rules || coalesce((SELECT jsonb_agg(CASE
        WHEN r ->> 'code' LIKE 'INSUFFICIENT%' THEN r || jsonb_build_object('largest_quantity', v_largest)
        ELSE r END) FROM jsonb_array_elements(j.rules) r), '[]');
  END IF;
  IF v_rules <> '[]' THEN
    RETURN QUERY SELECT 'DENIED'::text, ledger.order_facts(x)::text, v_rules::text
      FROM ledger.orders x WHERE x.order_id = p_order;
    RETURN;
  END IF;
  UPDATE ledger.orders x SET pending_change = o.pending_change, pending_quantity = o.pending_quantity,
    pending_price = o.pending_price, pending_reserved = o.pending_reserved, change_key = o.change_key,
    request = o.request, updated_at = o.updated_at, version = o.version, touched_at = clock_timestamp()
    WHERE x.order_id = p_order;
  IF v_shares <> 0 THEN
    UPDATE ledger.holding h SET open_sell = h.open_sell + v_shares
      WHERE h.user_id = p_user AND h.symbol = o.symbol;
  END IF;
  a := ledger.append_event(a, CASE WHEN v_cancel THEN 'CANCEL_REQUESTED' ELSE 'MODIFY_REQUESTED' END,
    o.order_id, 0, v_cash, 0, p_now, jsonb_build_object('order', ledger.order_facts(o)), o.symbol,
    ledger.order_command(o));
  RETURN QUERY SELECT 'ACCEPTED'::text, ledger.order_facts(o)::text, '[]'::text;
END $$;
