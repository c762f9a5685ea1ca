-- Opening, funding, pledging, placing, changing: each one call, one round trip, decided under the
-- account's lock. A refusal is a returned value and an event, never an exception.

CREATE FUNCTION ledger.open_account(p_user bigint, p_now timestamptz, p_class text DEFAULT 'RETAIL')
RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE a ledger.account;
BEGIN
  IF ledger.enter_slot(p_user) THEN
    INSERT INTO ledger.account VALUES (p_user, 0, sha256(int8send(p_user)), p_now, 0, 0, 0, 0, 0,
      'infinity', 0, 'ACTIVE', p_class) ON CONFLICT (user_id) DO NOTHING;
  END IF;
  a := ledger.lock_account(p_user, '-infinity', p_now);
  IF a.seq = 0 THEN
    a := ledger.append_event(a, 'ACCOUNT_OPENED', NULL, 0, 0, 0, p_now,
      '"class":' || to_json(a.class), NULL, NULL);
  END IF;
  RETURN a.seq;
END $$;

-- Idempotent on (user, client_id): DONE, REPLAY, or KEY_REUSED when the amount differs.
CREATE FUNCTION ledger.deposit(p_user bigint, p_client_id text, p_amount bigint, p_today date,
    p_now timestamptz)
RETURNS TABLE (outcome text, funds text, seq bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE a ledger.account; d ledger.deposit; v_outcome text := 'DONE';
BEGIN
  a := ledger.lock_account(p_user, p_today, p_now);
  SELECT * INTO d FROM ledger.deposit x WHERE x.user_id = p_user AND x.client_id = p_client_id;
  IF FOUND THEN
    v_outcome := CASE WHEN d.amount = p_amount THEN 'REPLAY' ELSE 'KEY_REUSED' END;
  ELSE
    SELECT m.event_seq INTO d.seq FROM ledger.move_cash(a, 'DEPOSITED', NULL, 0, p_now,
      '"client_id":' || to_json(p_client_id)::text, NULL, '{house:bank}', ARRAY[-p_amount]) m;
    INSERT INTO ledger.deposit VALUES (p_user, p_client_id, p_amount, d.seq);
  END IF;
  RETURN QUERY SELECT v_outcome, (e.body::json -> 'funds')::text, d.seq
    FROM ledger.ledger_event e WHERE e.user_id = p_user AND e.seq = d.seq;
END $$;

-- Sets how many settled shares of a holding are pledged; pledged shares can't be sold.
-- outcome: DONE, or NOT_FREE with the most that could be pledged.
CREATE FUNCTION ledger.set_pledge(p_user bigint, p_symbol text, p_pledged bigint, p_today date,
    p_now timestamptz)
RETURNS TABLE (outcome text, largest bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE a ledger.account; v_largest bigint;
BEGIN
  a := ledger.lock_account(p_user, p_today, p_now);
  SELECT greatest(0, least(h.quantity - h.open_sell, (SELECT coalesce(sum(l.quantity), 0)::bigint
      FROM ledger.holding_lot l WHERE l.user_id = p_user AND l.symbol = p_symbol
      AND l.settles_on <= p_today))) INTO v_largest
    FROM ledger.holding h WHERE h.user_id = p_user AND h.symbol = p_symbol;
  IF v_largest IS NULL OR p_pledged NOT BETWEEN 0 AND v_largest THEN
    RETURN QUERY SELECT 'NOT_FREE'::text, coalesce(v_largest, 0);
    RETURN;
  END IF;
  UPDATE ledger.holding h SET pledged = p_pledged WHERE h.user_id = p_user AND h.symbol = p_symbol;
  a := ledger.append_event(a, 'PLEDGE_SET', NULL, 0, 0, 0, p_now,
    '"holding":' || ledger.holding_facts(p_user, p_symbol, p_today)::text, p_symbol, NULL);
  RETURN QUERY SELECT 'DONE'::text, v_largest;
END $$;

-- One rule that failed, in the shape every refusal has.
CREATE FUNCTION ledger.rule(p_code text, p_message text, p_value text, p_limit text, p_largest bigint)
RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
  SELECT jsonb_build_object('code', p_code, 'message', p_message, 'value', p_value, 'limit', p_limit,
    'nearest', NULL, 'largest_quantity', p_largest)
$$;

-- The rules that other orders can change, for an order that goes from b to n (b not working: a new
-- one): cash or margin, shares, open orders, the account's state. `largest` is the largest quantity
-- that n could have. Whatever reduces what the order needs passes.
CREATE FUNCTION ledger.judge(a ledger.account, b ledger.orders, n ledger.orders,
    p_open_orders_max integer, OUT rules jsonb, OUT largest bigint)
LANGUAGE plpgsql STABLE AS $$
DECLARE v_available bigint := a.cash - a.held - a.blocked; v_had bigint := 0; v_closing bigint := 0;
  v_need bigint := CASE WHEN ledger.keeps(n) THEN n.reserved ELSE 0 END;
  p ledger.position; v_opens boolean := n.side = 'BUY';  -- of delivery; intraday the position says
  v_reserved bigint := coalesce(n.pending_reserved, n.reserved);
  v_quantity bigint := coalesce(n.pending_quantity, n.quantity);
BEGIN
  rules := '[]';
  IF n.product = 'MIS' THEN
    p := ledger.position_of(n);
    v_closing := greatest(0, ledger.shares_of(b) + CASE n.side WHEN 'BUY' THEN -p.net - p.open_buy
      ELSE p.net - p.open_sell END);
    v_opens := ledger.shares_of(n) > v_closing;
  END IF;
  IF n.client_order_id LIKE 'SQ-%' THEN
    -- The broker squares off whatever the client may do, and never beyond what is open by now.
    IF v_opens THEN
      rules := rules || ledger.rule('NOTHING_TO_SQUARE_OFF', 'more than the position has open',
        ledger.shares_of(n)::text, v_closing::text, v_closing);
    END IF;
  ELSIF a.state = 'HALTED' OR (a.state = 'REDUCING' AND v_opens) THEN
    rules := rules || ledger.rule('ACCOUNT_' || a.state, 'the account takes no such orders', a.state,
      'ACTIVE', CASE a.state WHEN 'REDUCING' THEN v_closing ELSE 0 END);
  END IF;
  -- What is rarely there, asked for at once: every order pays for the question.
  IF a.limits IS NOT NULL OR EXISTS (SELECT FROM ledger.parked_execution x WHERE x.user_id = a.user_id)
    OR EXISTS (SELECT FROM ledger.halt x WHERE x.state <> 'ACTIVE') OR EXISTS (SELECT FROM
      ledger.market_halt x WHERE x.trade_date = (n.updated_at AT TIME ZONE 'Asia/Kolkata')::date)
    OR EXISTS (SELECT FROM ledger.kill_switch x WHERE x.user_id = a.user_id AND x.is_on)
    OR EXISTS (SELECT FROM ledger.symbol_restriction x WHERE x.user_id = a.user_id AND x.ended_seq IS NULL) THEN
    rules := rules || ledger.standing_rules(a, n, v_opens, v_closing);
  END IF;
  IF a.class <> 'TEST' THEN rules := rules || ledger.limit_rules(a, b, n, v_opens, v_closing); END IF;
  IF ledger.is_working(b.status) THEN
    v_had := ledger.reserve_of(b);
    v_need := ledger.reserve_of(n) - v_had;
  ELSIF a.open_orders >= least(p_open_orders_max, a.limits[2]) THEN
    rules := rules || ledger.rule('TOO_MANY_OPEN_ORDERS', 'cancel one first', (a.open_orders + 1)::text,
      least(p_open_orders_max, a.limits[2])::text, 0);
  END IF;
  IF n.product = 'CNC' AND n.side = 'SELL' THEN
    SELECT h.quantity - h.open_sell - h.pledged INTO largest FROM ledger.holding h
      WHERE h.user_id = a.user_id AND h.symbol = n.symbol;
    v_need := ledger.shares_of(n) - ledger.shares_of(b);
    largest := greatest(0, coalesce(largest, 0));
    IF v_need > largest THEN
      rules := rules || ledger.rule('INSUFFICIENT_HOLDINGS',
        'more than is held, not pledged and not in an open sell', v_need::text, largest::text,
        b.filled_quantity + largest + ledger.shares_of(b));
    END IF;
    largest := b.filled_quantity + largest + ledger.shares_of(b);
    RETURN;
  END IF;
  IF n.product = 'MIS' THEN
    v_need := -ledger.position_hold(p);
    -- What goes beyond closing may use the margin that closing sets free.
    IF v_closing > 0 THEN v_had := -v_need; END IF;
    p := ledger.with_order(p, b, n);
    v_need := v_need + ledger.position_hold(p);
  END IF;
  largest := b.filled_quantity + v_closing + CASE WHEN v_reserved <= 0 THEN v_quantity
    ELSE floor(greatest(0, v_available + v_had)::numeric * v_quantity / v_reserved)::bigint END;
  IF v_need > greatest(0, v_available) THEN
    rules := rules || ledger.rule(CASE n.product WHEN 'MIS' THEN 'INSUFFICIENT_MARGIN'
        ELSE 'INSUFFICIENT_FUNDS' END, 'the order needs more than is available',
      ledger.rupees(v_need), ledger.rupees(v_available), largest);
  END IF;
END $$;

-- Places one order of a locked account, or (p_write false) says what placing it would answer and writes
-- nothing. Returns the account after it, which the caller keeps (ledger.keep_account), and with p_later
-- the order, its event and its command, which the caller then writes (ledger.write_placed). Not for an
-- order with terms, which may leave more than one event.
-- p_terms: what it waits for and when it ends (ledger.with_terms), null for an order that goes at once.
-- outcome: ACCEPTED, DENIED, REPLAY (then order_facts is the first answer), KEY_REUSED, RATE_LIMITED
-- (then rules is the limit), or PUT_OFF, of what the broker places for a client while he halts it, and of
-- a GTC order placed again; of the last two nothing is kept.
CREATE FUNCTION ledger.place_one(a ledger.account, o ledger.orders, p_terms text, p_verdict text,
    p_open_orders_max integer, p_trade_date date, p_now timestamptz, p_write boolean,
    p_later boolean, OUT account ledger.account, OUT outcome text, OUT order_facts text,
    OUT rules text, OUT available bigint, OUT largest bigint, OUT placed ledger.orders,
    OUT event ledger.ledger_event, OUT command text)
LANGUAGE plpgsql AS $$
DECLARE b ledger.orders; j record; v_rules jsonb; v_held bigint := 0; v_reached json; v_logged record;
BEGIN
  account := a;
  IF p_write AND a.class <> 'TEST' AND NOT ledger.is_brokers_own(o.client_order_id) THEN
    v_reached := ledger.rate_reached(a, p_trade_date, p_now);
    IF v_reached IS NOT NULL THEN
      SELECT f.* INTO outcome, order_facts, rules, available, largest
        FROM ledger.limited_answer(o.user_id, o.client_order_id, o.fingerprint, v_reached) f;
      RETURN;
    END IF;
  END IF;
  o.trade_date := p_trade_date; o.charges := '{0,0,0,0,0,0,0}'; o.filled_quantity := 0;
  o.traded_value := 0; o.request := 0; o.accepted_request := 0; o.version := 1;
  o.created_at := p_now; o.updated_at := p_now; o.touched_at := clock_timestamp();
  b := o; b.status := 'DENIED'; o.status := 'PENDING';
  IF p_terms IS NOT NULL THEN o := ledger.with_terms(o, p_terms::json); END IF;
  j := ledger.judge(a, b, o, p_open_orders_max);
  v_rules := ledger.joined_rules(p_verdict::jsonb, j.rules);
  IF p_terms IS NOT NULL THEN v_rules := v_rules || ledger.terms_rules(o, p_terms::json); END IF;
  outcome := 'ACCEPTED'; largest := j.largest;
  IF v_rules <> '[]' THEN
    outcome := CASE WHEN ledger.is_put_off(o, v_rules) THEN 'PUT_OFF' ELSE 'DENIED' END;
    o.status := 'DENIED'; o.rules := v_rules;
    o.reason_code := v_rules -> 0 ->> 'code'; o.reason := v_rules -> 0 ->> 'message';
  END IF;
  rules := v_rules::text;
  IF NOT p_write OR outcome = 'PUT_OFF' THEN
    available := a.cash - a.held - a.blocked;
    RETURN;
  END IF;
  o.order_id := ledger.new_order_id(o.user_id); o.placed_seq := a.seq + 1;
  IF o.leg IS NOT NULL THEN o.group_id := o.order_id; END IF;
  IF NOT p_later THEN
    INSERT INTO ledger.orders SELECT (o).* ON CONFLICT (user_id, client_order_id) DO NOTHING;
    IF NOT FOUND THEN  -- the key was used: its first answer stands, whatever the rules say by now
      SELECT f.* INTO outcome, order_facts, rules, available, largest FROM ledger.orders x,
        LATERAL ledger.first_answer(x, o.fingerprint) f
        WHERE x.user_id = o.user_id AND x.client_order_id = o.client_order_id;
      RETURN;
    END IF;
  END IF;
  order_facts := ledger.order_facts(o)::text;
  IF o.status <> 'DENIED' THEN
    account.open_orders := a.open_orders + 1;
    -- A delivery buy holds what it reserves; of another order the shares or the position tell.
    v_held := o.reserved;
    IF o.product <> 'CNC' OR o.side <> 'BUY' OR p_terms IS NOT NULL THEN
      v_held := ledger.rehold(b, o);
    END IF;
  END IF;
  IF o.status = 'PENDING' THEN command := ledger.order_command(o); END IF;
  v_logged := ledger.chain_event(account,
    CASE o.status WHEN 'DENIED' THEN 'ORDER_DENIED' ELSE 'ORDER_PLACED' END, o.order_id, 0, v_held, 0,
    p_now, '"order":' || order_facts || ',"context":' || o.context
      || ',"fingerprint":"' || encode(o.fingerprint, 'hex') || '","charge_rates":'
      || array_to_json(o.charge_rates)::text, o.symbol, command, p_later);
  account := v_logged.account; IF p_later THEN placed := o; event := v_logged.event; END IF;
  IF o.leg IS NOT NULL AND o.status <> 'DENIED' THEN
    account := ledger.place_leg(account, ledger.leg_of(o, p_terms::jsonb -> 'target', o.quantity),
      'EXITS_TOGETHER', o.order_id, p_now);
  END IF;
  available := account.cash - account.held - account.blocked;
END $$;

-- Places an order, or (p_write false) says what placing it would answer.
CREATE FUNCTION ledger.place_order(p_user bigint, p_client_order_id text, p_fingerprint bytea,
    p_symbol text, p_side text, p_type text, p_product text, p_validity text, p_quantity bigint,
    p_price bigint, p_limit_price bigint, p_reserved bigint, p_charge_rates bigint[], p_verdict text,
    p_context text, p_open_orders_max integer, p_trade_date date, p_margin_rate bigint,
    p_now timestamptz, p_write boolean, p_terms text, p_disclosed_quantity bigint)
RETURNS TABLE (outcome text, order_facts text, rules text, available bigint, largest bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE a ledger.account; o ledger.orders; p record;
BEGIN
  o.user_id := p_user; o.client_order_id := p_client_order_id; o.fingerprint := p_fingerprint;
  o.symbol := p_symbol; o.side := p_side; o.type := p_type; o.product := p_product;
  o.margin_rate := p_margin_rate; o.validity := p_validity;
  o.quantity := p_quantity; o.disclosed_quantity := p_disclosed_quantity;
  o.price := p_price; o.limit_price := p_limit_price;
  o.reserved := p_reserved; o.charge_rates := p_charge_rates; o.context := p_context;
  IF p_write THEN
    a := ledger.lock_account(p_user, p_trade_date, p_now);
  ELSE
    a := ledger.account_on(p_user, p_trade_date);
  END IF;
  p := ledger.place_one(a, o, p_terms, p_verdict, p_open_orders_max, p_trade_date, p_now, p_write,
    false);
  IF (p.account).seq > a.seq THEN PERFORM ledger.keep_account(p.account); END IF;
  outcome := p.outcome; order_facts := p.order_facts; rules := p.rules; available := p.available;
  largest := p.largest;
  RETURN NEXT;
END $$;

-- An order that is asked to become another: cancelled (p_quantity null) or replaced. One that waits is
-- nobody else's and becomes it at once; a cancel behind a change in flight waits for its answer.
CREATE FUNCTION ledger.with_change(o ledger.orders, p_quantity bigint, p_price bigint,
    p_reserved bigint, p_trigger_price bigint, p_now timestamptz)
RETURNS ledger.orders LANGUAGE plpgsql AS $$
BEGIN
  IF o.status = 'TRIGGER_PENDING' THEN
    IF p_quantity IS NOT NULL THEN
      o.quantity := p_quantity;
      o.price := CASE WHEN o.type IN ('LIMIT', 'STOP_LIMIT') THEN p_price END;
      o.limit_price := p_price;
      o.trigger_price := coalesce(p_trigger_price, o.trigger_price);
      o.reserved := p_reserved;
    END IF;
  ELSIF o.pending_change IS NULL THEN
    o.pending_change := CASE WHEN p_quantity IS NULL THEN 'CANCEL' ELSE 'MODIFY' END;
    o.pending_quantity := p_quantity;
    o.pending_price := p_price;
    o.pending_reserved := p_reserved;
    o.request := o.request + 1;
    o.touched_at := clock_timestamp();
  END IF;
  o.updated_at := p_now;
  o.version := o.version + 1;
  RETURN ledger.with_stance(o);
END $$;

-- An order that knows a change by its key and by the event that answers it. While a change is in
-- flight its own key stays the first, or that of the cancel that waits for its answer. Changes that were
-- accepted are limited in number, and so are never forgotten; of the others 99 are known beside the latest.
CREATE FUNCTION ledger.with_key(o ledger.orders, p_key text, p_seq bigint) RETURNS ledger.orders
LANGUAGE plpgsql STABLE AS $$
DECLARE v_first integer := CASE WHEN o.pending_change = 'CANCEL' OR ledger.cancel_waits(o)
  THEN 1 ELSE 0 END;
BEGIN
  IF cardinality(o.change_keys) > 99 THEN
    SELECT array_agg(x.key ORDER BY x.place), array_agg(x.seq ORDER BY x.place)
      INTO o.change_keys, o.change_seqs
      FROM (SELECT u.key, u.seq, u.place, a.accepted,
          count(*) FILTER (WHERE NOT a.accepted) OVER (ORDER BY u.place) AS others
        FROM unnest(o.change_keys, o.change_seqs) WITH ORDINALITY AS u (key, seq, place),
          LATERAL (SELECT EXISTS (SELECT FROM ledger.ledger_event e WHERE e.user_id = o.user_id
            AND e.seq = u.seq AND e.kind IN ('MODIFY_REQUESTED', 'ORDER_MODIFIED')) AS accepted) a) x
      WHERE x.accepted OR x.others <= 99;
  END IF;
  o.change_keys := o.change_keys[:v_first] || p_key || o.change_keys[v_first + 1:];
  o.change_seqs := o.change_seqs[:v_first] || p_seq || o.change_seqs[v_first + 1:];
  RETURN o;
END $$;

-- Asks the venue to cancel (p_quantity null) or to replace; an order that waits is changed here, at
-- once. Idempotent on the order's request_ids: p_asked is the client's body in one form, and the id
-- with another one is KEY_REUSED. An id is used up by an answer that has an event: ACCEPTED, REPEATED
-- (a cancel while one is on its way, which is no cancel of its own) and DENIED. A conflict is of its
-- moment and uses up none. A cancel under the id of a replace is a request of its own, for it was never
-- answered; a cancel during a change waits for the change's answer.
-- outcome: ACCEPTED, REPEATED, REPLAY, DENIED (anew or again), KEY_REUSED, NOT_FOUND, NOT_WORKING,
-- IN_FLIGHT, VERSION_MOVED, BELOW_FILLED.
CREATE FUNCTION ledger.request_change(p_user bigint, p_order bigint, p_request_id text,
    p_asked text, p_version integer, p_quantity bigint, p_price bigint, p_reserved bigint,
    p_verdict text, p_today date, p_now timestamptz, p_trigger_price bigint, p_changes_max integer)
RETURNS TABLE (outcome text, order_facts text, rules text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE a ledger.account; b ledger.orders; o ledger.orders; v_rules jsonb := p_verdict::jsonb;
  v_cancel boolean := p_quantity IS NULL; v_kind text; k record;
  v_id text := CASE WHEN p_quantity IS NULL THEN 'cancel ' ELSE 'replace ' END || p_request_id || ' ';
BEGIN
  a := ledger.lock_account(p_user, p_today, p_now);
  rules := '[]';
  SELECT * INTO b FROM ledger.orders x WHERE x.order_id = p_order AND x.user_id = p_user;
  IF NOT FOUND THEN
    outcome := 'NOT_FOUND';
    RETURN NEXT;
    RETURN;
  END IF;
  order_facts := ledger.order_facts(b)::text;
  SELECT u.key, u.seq INTO k FROM unnest(b.change_keys, b.change_seqs) AS u (key, seq)
    WHERE starts_with(u.key, v_id);
  IF k.key = v_id || p_asked THEN
    RETURN QUERY SELECT CASE e.kind WHEN 'CHANGE_DENIED' THEN 'DENIED' ELSE 'REPLAY' END,
      request_change.order_facts, coalesce((e.body::json -> 'rules')::text, '[]')
      FROM ledger.ledger_event e WHERE e.user_id = p_user AND e.seq = k.seq;
    RETURN;
  END IF;
  outcome := CASE WHEN k.key IS NOT NULL THEN 'KEY_REUSED'
    WHEN v_cancel AND (b.pending_change = 'CANCEL' OR ledger.cancel_waits(b)) THEN 'REPEATED'
    WHEN NOT ledger.is_working(b.status) THEN 'NOT_WORKING'
    WHEN b.pending_change IS NOT NULL AND NOT v_cancel THEN 'IN_FLIGHT'
    WHEN p_version <> b.version OR b.leg IS NOT NULL AND p_quantity <> b.quantity THEN 'VERSION_MOVED'
    WHEN NOT v_cancel AND p_quantity <= b.filled_quantity THEN 'BELOW_FILLED' ELSE 'ACCEPTED' END;
  IF outcome NOT IN ('REPEATED', 'ACCEPTED') THEN
    RETURN NEXT;
    RETURN;
  END IF;
  o := ledger.with_key(b, v_id || p_asked, a.seq + 1);
  IF outcome = 'ACCEPTED' THEN
    b.change_keys := o.change_keys; b.change_seqs := o.change_seqs;
    o := ledger.with_change(o, p_quantity, p_price, p_reserved, p_trigger_price, p_now);
    IF NOT v_cancel THEN
      v_rules := ledger.joined_rules(v_rules || ledger.changes_left(b, p_changes_max),
        (SELECT j.rules FROM ledger.judge(a, b, o, 0) j));
    END IF;
    IF v_rules <> '[]' THEN
      outcome := 'DENIED';
      o := b;
    ELSIF b.status = 'TRIGGER_PENDING' THEN
      order_facts := ledger.order_facts(ledger.change_waiting(a, b, o, v_cancel,
        p_today, p_now))::text;
      RETURN NEXT;
      RETURN;
    END IF;
  END IF;
  v_kind := CASE outcome WHEN 'REPEATED' THEN 'CANCEL_REPEATED' WHEN 'DENIED' THEN 'CHANGE_DENIED'
    ELSE CASE WHEN v_cancel THEN 'CANCEL' ELSE 'MODIFY' END || '_REQUESTED' END;
  order_facts := ledger.order_facts(o)::text;
  rules := v_rules::text;
  UPDATE ledger.orders x SET pending_change = o.pending_change, pending_quantity = o.pending_quantity,
    pending_price = o.pending_price, pending_reserved = o.pending_reserved, change_keys = o.change_keys,
    change_seqs = o.change_seqs, request = o.request, updated_at = o.updated_at, version = o.version,
    touched_at = o.touched_at WHERE x.order_id = p_order;
  a := ledger.append_event(a, v_kind, o.order_id, 0,
    CASE outcome WHEN 'ACCEPTED' THEN ledger.rehold(b, o) ELSE 0 END, 0, p_now,
    '"order":' || order_facts || ',"change_key":' || to_json(v_id || p_asked)::text
      || CASE outcome WHEN 'DENIED' THEN ',"rules":' || rules ELSE '' END,
    o.symbol, CASE WHEN o.request > b.request THEN ledger.order_command(o) END);
  IF v_cancel AND outcome = 'ACCEPTED' THEN PERFORM ledger.cancel_siblings(o, p_today, p_now); END IF;
  RETURN NEXT;
END $$;
