-- What the venue reported becomes fact: dedupe, advance the order by its transition table, post,
-- release the hold, record the session position, outbox. One call, one round trip, one transaction.
-- A report is a claim: one that contradicts the order's life is parked with its user's later reports.

-- An intraday position after a fill: what closes it is realised against the average it was entered
-- at, what is beyond opens it on the other side.
CREATE FUNCTION ledger.fill_position(p ledger.position, p_side text, p_quantity bigint, p_value bigint,
    OUT after ledger.position, OUT realised bigint)
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE v_sign integer := CASE p_side WHEN 'BUY' THEN 1 ELSE -1 END; v_closing bigint;
  v_entry bigint; v_exit bigint;
BEGIN
  v_closing := least(p_quantity, greatest(0, -v_sign * p.net));
  v_entry := CASE v_closing WHEN 0 THEN 0
    ELSE div(p.open_value::numeric * v_closing * 2 + abs(p.net), abs(p.net) * 2)::bigint END;
  v_exit := div(p_value::numeric * v_closing * 2 + p_quantity, p_quantity * 2)::bigint;
  realised := v_sign * (v_entry - v_exit);
  p.open_value := p.open_value - v_entry + p_value - v_exit;
  p.net := p.net + v_sign * p_quantity;
  p.realised := p.realised + realised;
  IF p_side = 'BUY' THEN
    p.buy_quantity := p.buy_quantity + p_quantity;
    p.buy_value := p.buy_value + p_value;
  ELSE
    p.sell_quantity := p.sell_quantity + p_quantity;
    p.sell_value := p.sell_value + p_value;
  END IF;
  after := p;
END $$;

-- Charges on what an order has traded so far, by head: rates per 10^9 of the value, each rounded half
-- up to the paisa, the tax on services (rate 7) on brokerage, exchange and regulator's fee. Computed
-- on the whole and booked as the difference, so that many small fills cost what one large one does.
-- Rate 8 caps the brokerage, in paise for the whole order.
CREATE FUNCTION ledger.charges_on(p_value bigint, p_rates bigint[]) RETURNS bigint[]
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE c bigint[] := '{0,0,0,0,0,0,0}';
BEGIN
  FOR i IN 1..6 LOOP
    c[i] := div(p_value::numeric * p_rates[i] * 2 + 1000000000, 2000000000)::bigint;
  END LOOP;
  IF p_rates[8] > 0 THEN c[1] := least(c[1], p_rates[8]); END IF;
  c[7] := div((c[1] + c[3] + c[5])::numeric * p_rates[7] * 2 + 1000000000, 2000000000)::bigint;
  RETURN c;
END $$;

-- An order after a fill, with its charges on all it has traded.
CREATE FUNCTION ledger.with_fill(o ledger.orders, p_quantity bigint, p_value bigint, p_next text,
    p_now timestamptz)
RETURNS ledger.orders LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  o.filled_quantity := o.filled_quantity + p_quantity;
  o.traded_value := o.traded_value + p_value;
  o.charges := ledger.charges_on(o.traded_value, o.charge_rates);
  o.status := p_next;
  o.updated_at := p_now;
  o.version := o.version + 1;
  IF p_next = 'FILLED' AND o.reason_code IN ('TRADE_BUSTED', 'TRADE_CORRECTED') THEN
    o.reason_code := NULL;  -- of a trade that another has made good
    o.reason := NULL;
  END IF;
  IF NOT ledger.is_working(p_next) THEN RETURN ledger.without_change(o); END IF;
  RETURN o;
END $$;

-- One fill, under the account's lock: money, shares, charges, postings, event. Returns its event's seq.
-- What is delivered moves its value through the client's cash; what trades in a position keeps it
-- there and moves what it realised. A fill is a fact and is booked whatever the account holds.
CREATE FUNCTION ledger.book_fill(a ledger.account, b ledger.orders, p_exec_id text, p_quantity bigint,
    p_price bigint, p_trade_date date, p_settles_on date, p_next text, p_transacted timestamptz,
    p_today date, p_now timestamptz, p_exec_type text)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  v_value bigint := (p_quantity * p_price + 50) / 100;
  v_sign integer := CASE WHEN b.side = 'BUY' THEN 1 ELSE -1 END;
  v_heads bigint[] := '{0,0,0,0,0,0,0}'; v_charged bigint := 0; v_held bigint; v_seq bigint;
  v_short bigint; v_moved bigint; v_realised bigint := 0; v_gain bigint; v_more text := '';
  o ledger.orders; p record; d record; m record;
BEGIN
  o := ledger.with_fill(b, p_quantity, v_value, p_next, p_now);
  FOR i IN 1..7 LOOP
    v_heads[i] := o.charges[i] - b.charges[i];
    v_charged := v_charged + v_heads[i];
  END LOOP;
  IF ledger.is_working(b.status) AND NOT ledger.is_working(p_next) THEN
    a.open_orders := a.open_orders - 1;
  END IF;
  v_held := ledger.rehold(b, o);
  v_short := ledger.undelivered(o, p_quantity, p_trade_date);
  v_moved := div(v_value::numeric * (p_quantity - v_short) * 2 + p_quantity, p_quantity * 2)::bigint;
  v_gain := -v_sign * v_moved - v_charged;
  IF v_short > 0 THEN
    p := ledger.trade_position(o, v_short, v_value - v_moved, p_trade_date);
    v_held := v_held + p.held;
    v_realised := p.realised;
    v_more := ',' || p.facts;
    a := ledger.add_result(a, p_trade_date, p_settles_on,
      v_realised - CASE o.product WHEN 'MIS' THEN v_charged ELSE 0 END, p_today);
  END IF;
  v_seq := a.seq + CASE WHEN a.cash + v_realised + v_gain < 0 THEN 2 ELSE 1 END;  -- a loan goes before
  IF o.product = 'CNC' THEN
    d := ledger.deliver_fill(a, o, p_quantity - v_short, v_moved, v_gain, v_seq, p_trade_date,
      p_settles_on, p_today);
    a := d.account;
    v_more := v_more || d.facts;
  END IF;
  SELECT * INTO m FROM ledger.move_cash(a, 'FILL', o.order_id, v_held, p_now,
    '"order":' || ledger.order_facts(o)::text || ',"fill":' || json_build_object(
      'order_id', o.order_id, 'exec_id', p_exec_id, 'symbol', o.symbol, 'side', o.side,
      'product', o.product, 'quantity', p_quantity, 'price', p_price, 'value', v_value,
      'charges', v_charged, 'heads', v_heads, 'trade_date', p_trade_date,
      'settles_on', p_settles_on, 'at', ledger.micros(p_transacted))::text || v_more,
    o.symbol, '{house:clearing}' || ledger.charge_accounts() || '{client:position}',
    v_sign * v_moved || v_heads || -v_realised);
  IF m.event_seq <> v_seq THEN RAISE EXCEPTION 'fill % became event %', v_seq, m.event_seq; END IF;
  INSERT INTO ledger.posting
    SELECT o.user_id, v_seq, (10 + x.line)::smallint, x.name, x.asset, v_sign * x.amount FROM (VALUES
      (1, 'client:holding', o.symbol, p_quantity - v_short),
      (2, 'client:position', o.symbol, v_short),
      (3, 'house:clearing', o.symbol, -p_quantity),
      (4, 'client:position', 'INR', v_moved - v_value),
      (5, 'house:clearing', 'INR', v_value - v_moved)
    ) x (line, name, asset, amount) WHERE x.amount <> 0;
  INSERT INTO ledger.execution VALUES (1, p_trade_date, p_exec_id, o.user_id, o.order_id, p_exec_type,
    p_quantity, p_price, v_value, v_charged, p_settles_on, v_seq, p_transacted);
  INSERT INTO ledger.contract_note_due VALUES (p_trade_date, o.user_id) ON CONFLICT DO NOTHING;
  UPDATE ledger.orders x SET filled_quantity = o.filled_quantity, traded_value = o.traded_value,
    charges = o.charges, status = o.status, pending_change = o.pending_change,
    pending_quantity = o.pending_quantity, pending_price = o.pending_price,
    pending_reserved = o.pending_reserved, reason_code = o.reason_code, reason = o.reason,
    updated_at = o.updated_at, version = o.version,
    venue_order_id = o.venue_order_id, touched_at = clock_timestamp() WHERE x.order_id = o.order_id;
  RETURN v_seq;
END $$;

-- An order without the change that was asked for.
CREATE FUNCTION ledger.without_change(o ledger.orders) RETURNS ledger.orders
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  o.pending_change := NULL;
  o.pending_quantity := NULL;
  o.pending_price := NULL;
  o.pending_reserved := NULL;
  RETURN o;
END $$;

-- The accounts of the charge heads, in their order.
CREATE FUNCTION ledger.charge_accounts() RETURNS text[] LANGUAGE sql STABLE AS $$
  SELECT array_agg(h.account ORDER BY h.head) FROM ledger.charge_head h WHERE h.head <= 7
$$;

-- A report that moves no money: acknowledged, cancelled, expired, rejected, replaced, change refused.
-- p_report: what of it becomes an execution, as a member of the event's body with a comma before it.
CREATE FUNCTION ledger.book_change(a ledger.account, b ledger.orders, p_happening text, p_next text,
    p_request integer, p_code text, p_text text, p_report text, p_now timestamptz)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE o ledger.orders := b;
BEGIN
  IF p_happening IN ('REPLACED', 'REPLACED_DOWN') THEN
    -- Never below what has been filled: the venue answers such a request with CumQty (D.2, D.3).
    o.quantity := greatest(o.pending_quantity, o.filled_quantity);
    o.limit_price := o.pending_price;
    o.price := CASE WHEN o.type IN ('LIMIT', 'STOP_LIMIT') THEN o.limit_price END;
    o.reserved := o.pending_reserved;
    o.accepted_request := p_request;
  END IF;
  IF p_happening IN ('REPLACED', 'CHANGE_REFUSED') OR NOT ledger.is_working(p_next) THEN
    o := ledger.without_change(o);
  END IF;
  IF p_happening IN ('REJECTED', 'CHANGE_REFUSED', 'EXPIRED', 'VENUE_CANCELLED') THEN
    o.reason_code := p_code;
    o.reason := p_text;
  END IF;
  IF p_happening = 'CANCELLED' AND b.pending_change = 'CANCEL' THEN
    o := ledger.with_cancel_reason(o);
  ELSIF p_happening = 'EXPIRED' AND ledger.cancel_of(b) = 'CANCELLED' THEN
    o.reason_code := 'CANCEL_AT_DAY_END';  -- its owner wanted it gone: a GTC is not placed again
  END IF;
  o.status := p_next;
  o.updated_at := p_now;
  o.version := o.version + 1;
  o := ledger.with_waiting_cancel(b, o);
  IF ledger.is_working(b.status) AND NOT ledger.is_working(o.status) THEN
    a.open_orders := a.open_orders - 1;
  END IF;
  UPDATE ledger.orders x SET quantity = o.quantity, limit_price = o.limit_price, price = o.price,
    request = o.request, reserved = o.reserved, accepted_request = o.accepted_request,
    pending_change = o.pending_change, pending_quantity = o.pending_quantity,
    pending_price = o.pending_price, pending_reserved = o.pending_reserved,
    reason_code = o.reason_code, reason = o.reason,
    status = o.status, venue_order_id = o.venue_order_id, updated_at = o.updated_at,
    version = o.version, touched_at = clock_timestamp() WHERE x.order_id = o.order_id;
  a := ledger.append_event(a, CASE p_happening WHEN 'CHANGE_REFUSED' THEN p_happening
      WHEN 'REPLACED_DOWN' THEN 'ORDER_REPLACED' WHEN 'VENUE_CANCELLED' THEN 'ORDER_CANCELLED'
      ELSE 'ORDER_' || p_happening END,
    o.order_id, 0, ledger.rehold(b, o), 0, p_now, '"order":' || ledger.order_facts(o)::text || p_report,
    o.symbol, CASE WHEN o.request > b.request THEN ledger.order_command(o) END);
  RETURN a.seq;
END $$;

-- Whose cancel an order was ended by: the one that was asked for, or one of the venue's own rules.
CREATE FUNCTION ledger.cancel_of(o ledger.orders) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN o.pending_change = 'CANCEL' OR ledger.cancel_waits(o) THEN 'CANCELLED'
    ELSE 'VENUE_CANCELLED' END
$$;

-- Why a report can't be taken at its word, or NULL: what is wrong with it before the order's life
-- is looked at. What is wrong with a correction or a bust, ledger.amendment_fault says.
CREATE FUNCTION ledger.fault_of(o ledger.orders, p_exec_type text, p_quantity bigint, p_price bigint)
RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE
    WHEN p_exec_type NOT IN ('0', '4', '5', '6', '8', '9', 'A', 'C', 'E', 'F', 'G', 'H', 'I')
      THEN 'UNKNOWN_EXEC_TYPE ' || p_exec_type
    WHEN ledger.never_sent(o) THEN 'NEVER_SENT'
    WHEN p_exec_type IN ('F', 'G') AND (p_quantity <= 0 OR p_price <= 0) THEN 'EMPTY_FILL'
    -- 10^17 paise: no price of this world, and what 64 bits can still be added to.
    WHEN p_exec_type IN ('F', 'G') AND p_quantity::numeric * p_price > 10 ^ 19 THEN 'IMPOSSIBLE_PRICE' END
$$;

-- Judges a report of a locked account: APPLIED (with what happened, to which state), DUPLICATE, NOTHING,
-- WAITING (for fills that it tells of) or PARKED.
CREATE FUNCTION ledger.judge_execution(p_user bigint, p_order bigint, p_request integer,
    p_exec_id text, p_exec_type text, p_ord_status text, p_quantity bigint, p_price bigint,
    p_cumulative bigint, p_trade_date date, p_reject_code integer, p_exec_ref text, p_today date,
    OUT verdict text, OUT why text, OUT o ledger.orders, OUT happening text, OUT next text)
LANGUAGE plpgsql STABLE AS $$
DECLARE x ledger.execution;
BEGIN
  verdict := 'PARKED';
  IF EXISTS (SELECT FROM ledger.parked_execution y WHERE y.user_id = p_user) THEN
    why := 'BEHIND_A_PARKED_REPORT';
    -- An answer to the sweep, which asks again while it matters: one kept each time has no end.
    IF p_exec_type = 'I' THEN verdict := 'NOTHING'; END IF;
    RETURN;
  END IF;
  SELECT * INTO o FROM ledger.orders y WHERE y.order_id = p_order AND y.user_id = p_user;
  IF NOT FOUND THEN
    why := 'UNKNOWN_ORDER';
    RETURN;
  END IF;
  IF p_exec_type NOT IN ('I', '9') THEN
    SELECT * INTO x FROM ledger.execution e
      WHERE e.venue = 1 AND e.trade_date = p_trade_date AND e.exec_id = p_exec_id;
    IF FOUND THEN
      IF (x.order_id, x.exec_type) = (p_order, p_exec_type)
          AND (p_exec_type NOT IN ('F', 'G') OR (x.quantity, x.price) = (p_quantity, p_price)) THEN
        verdict := 'DUPLICATE';
      ELSE
        why := 'EXEC_ID_REUSED';
      END IF;
      RETURN;
    END IF;
  END IF;
  why := ledger.fault_of(o, p_exec_type, p_quantity, p_price);
  IF why IS NULL AND p_exec_type IN ('G', 'H') THEN
    why := ledger.amendment_fault(o, p_trade_date, p_exec_ref, p_today);
  END IF;
  IF why IS NOT NULL THEN RETURN; END IF;
  IF p_exec_type IN ('G', 'H') THEN
    x := ledger.amended_trade(p_order, p_trade_date, p_exec_ref);
    happening := ledger.left_by(o, o.filled_quantity - x.quantity
      + CASE p_exec_type WHEN 'G' THEN p_quantity ELSE 0 END, p_ord_status, p_trade_date);
  ELSE
    happening := ledger.happening_of(o, p_exec_type, p_ord_status, p_quantity, p_cumulative, p_request,
      p_reject_code, p_today);
  END IF;
  IF happening IS NULL THEN
    verdict := 'NOTHING';
    RETURN;
  END IF;
  IF ledger.comes_early(o, p_exec_type, p_cumulative) THEN
    verdict := 'WAITING';
    why := 'BEFORE_ITS_FILLS';
    RETURN;
  END IF;
  next := CASE happening WHEN 'CHANGE_REFUSED' THEN o.status ELSE (SELECT t.next FROM ledger.order_transition t
    WHERE t.status = o.status AND t.happening = judge_execution.happening) END;
  IF next IS NULL THEN
    why := 'ILLEGAL_TRANSITION ' || o.status || ' ' || happening;
    RETURN;
  END IF;
  verdict := 'APPLIED';
END $$;

-- Whether this report is parked already, told by another session (the drop copy) or under other numbers.
-- One with a null character, which the database refused, is no jsonb and was told once.
CREATE FUNCTION ledger.is_parked(p_user bigint, p_order bigint, p_report text) RETURNS boolean
LANGUAGE sql STABLE AS $$
  SELECT EXISTS (SELECT FROM ledger.parked_execution y WHERE y.user_id = p_user
    AND y.order_id = p_order AND CASE WHEN y.why <> 'UNREADABLE' AND strpos(y.report, '\u0000') = 0
      THEN y.report::jsonb - '{session,position}'::text[] = p_report::jsonb - '{session,position}'::text[]
      ELSE false END)
$$;

-- outcome: APPLIED (why: MISSING_FILLS, where the venue counts more than we do), DUPLICATE, NOTHING
-- (said nothing new), WAITING or PARKED (both with why).
CREATE FUNCTION ledger.apply_execution(p_session text, p_position bigint, p_user bigint,
    p_order bigint, p_request integer, p_exec_id text, p_exec_type text, p_ord_status text,
    p_venue_order_id text, p_quantity bigint, p_price bigint, p_cumulative bigint,
    p_trade_date date, p_settles_on date, p_transacted timestamptz, p_reject_code integer, p_code text,
    p_text text, p_report text, p_today date, p_now timestamptz, p_exec_ref text)
RETURNS TABLE (outcome text, why text, seq bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE a ledger.account; o ledger.orders; j record; v_seq bigint;
BEGIN
  -- Entered first: only a slot's home can say that an account or an order isn't there.
  IF ledger.enter_slot(CASE p_user WHEN 0 THEN p_order >> 16 ELSE p_user END) AND p_user = 0 THEN
    -- a cancel reject (35=9) need not name the account; the order does, and its slot
    p_user := coalesce((SELECT y.user_id FROM ledger.orders y WHERE y.order_id = p_order), 0);
  END IF;
  INSERT INTO ledger.fix_applied VALUES (p_session, p_position) ON CONFLICT DO NOTHING;
  IF EXISTS (SELECT FROM ledger.account y WHERE y.user_id = p_user) THEN
    a := ledger.lock_account(p_user, p_today, p_now);
    j := ledger.judge_execution(p_user, p_order, p_request, p_exec_id, p_exec_type, p_ord_status,
      p_quantity, p_price, p_cumulative, p_trade_date, p_reject_code, p_exec_ref, p_today);
  ELSE
    SELECT 'PARKED' AS verdict, 'UNKNOWN_ACCOUNT' AS why INTO j;
  END IF;
  IF j.verdict = 'PARKED' THEN
    INSERT INTO ledger.parked_execution SELECT p_session, p_position, p_user, p_order, j.why,
      p_report, p_now WHERE NOT ledger.is_parked(p_user, p_order, p_report) ON CONFLICT DO NOTHING;
  END IF;
  IF j.verdict NOT IN ('APPLIED', 'WAITING') THEN
    RETURN QUERY SELECT j.verdict::text, CASE j.verdict WHEN 'PARKED' THEN j.why::text END, 0::bigint;
    RETURN;
  END IF;
  o := j.o;
  o.venue_order_id := coalesce(o.venue_order_id, nullif(p_venue_order_id, 'NONE'));
  IF ledger.was_replaced(o, p_exec_type, p_ord_status, p_quantity, p_request) THEN
    PERFORM ledger.replace_first(a, o, p_today, p_now);
    RETURN QUERY SELECT * FROM ledger.apply_execution(p_session, p_position, p_user, p_order, p_request,
      p_exec_id, p_exec_type, p_ord_status, p_venue_order_id, p_quantity, p_price, p_cumulative, p_trade_date,
      p_settles_on, p_transacted, p_reject_code, p_code, p_text, p_report, p_today, p_now, p_exec_ref);
    RETURN;
  ELSIF j.verdict = 'WAITING' THEN
    INSERT INTO ledger.early_ending VALUES (p_order, p_user, p_session, p_position, p_request, p_exec_id,
      p_exec_type, p_ord_status, p_venue_order_id, p_cumulative, p_trade_date, p_settles_on,
      p_transacted, p_code, p_text, p_report, p_now) ON CONFLICT DO NOTHING;
    RETURN QUERY SELECT 'WAITING'::text, j.why::text, 0::bigint; RETURN;
  END IF;
  IF p_exec_type = 'F' THEN
    v_seq := ledger.book_fill(a, o, p_exec_id, p_quantity, p_price, p_trade_date, p_settles_on,
      j.next, p_transacted, p_today, p_now, 'F');
  ELSIF p_exec_type IN ('G', 'H') THEN
    v_seq := ledger.book_amendment(a, o, p_exec_type, p_exec_id, p_exec_ref, p_quantity, p_price,
      p_trade_date, p_settles_on, j.next, p_text, p_transacted, p_today, p_now);
  ELSE
    v_seq := ledger.book_change(a, o, j.happening, j.next, p_request,
      CASE WHEN p_code = 'NEVER_AT_VENUE' AND o.venue_order_id > '' THEN 'LOST_AT_VENUE' ELSE p_code END, p_text,
      CASE WHEN p_exec_type IN ('I', '9') THEN '' ELSE ',"execution":' || json_build_object(
        'exec_id', p_exec_id, 'exec_type', p_exec_type, 'trade_date', p_trade_date,
        'settles_on', p_settles_on, 'at', ledger.micros(p_transacted))::text END, p_now);
    IF p_exec_type NOT IN ('I', '9') THEN
      INSERT INTO ledger.execution VALUES (1, p_trade_date, p_exec_id, p_user, p_order, p_exec_type,
        0, 0, 0, 0, p_settles_on, v_seq, p_transacted);
    END IF;
  END IF;
  IF p_exec_type IN ('G', 'H') THEN PERFORM ledger.reopen_plan(p_user, p_order, p_now); END IF;
  IF o.leg IS NOT NULL OR o.exits IS NOT NULL THEN PERFORM ledger.follow_exits(j.o, p_today, p_now); END IF;
  IF p_exec_type IN ('F', 'G', 'H') THEN PERFORM ledger.fit_exits(o, p_today, p_now); END IF;
  IF p_exec_type IN ('F', 'G') THEN PERFORM ledger.tell_overfill(p_user, p_order, p_now); END IF;
  PERFORM ledger.end_as_told(p_order, p_today, p_now);
  RETURN QUERY SELECT 'APPLIED'::text, CASE WHEN p_exec_type = 'F' AND p_cumulative >
    o.filled_quantity + p_quantity THEN 'MISSING_FILLS' END, v_seq;
END $$;

-- A report that apply_execution could not work through: its own transaction is undone, and this keeps
-- the report for a person, with its position, so that the session's checkpoint moves on.
CREATE FUNCTION ledger.park_execution(p_session text, p_position bigint, p_user bigint, p_order bigint,
    p_why text, p_report text, p_now timestamptz)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF ledger.enter_slot(CASE p_user WHEN 0 THEN p_order >> 16 ELSE p_user END) AND p_user = 0 THEN
    p_user := coalesce((SELECT y.user_id FROM ledger.orders y WHERE y.order_id = p_order), 0);
  END IF;
  -- As when a report is applied: no order of the account is judged while it comes under review.
  PERFORM FROM ledger.account y WHERE y.user_id = p_user FOR NO KEY UPDATE;
  INSERT INTO ledger.fix_applied VALUES (p_session, p_position) ON CONFLICT DO NOTHING;
  INSERT INTO ledger.parked_execution VALUES (p_session, p_position, p_user, p_order, p_why, p_report,
    p_now) ON CONFLICT DO NOTHING;
END $$;

-- A record of the stream that can't even be read, kept for a person. No session's checkpoint waits for it.
CREATE FUNCTION ledger.park_unreadable(p_session text, p_position bigint, p_report text, p_now timestamptz)
RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO ledger.parked_execution VALUES (p_session, p_position, 0, 0, 'UNREADABLE', p_report, p_now)
    ON CONFLICT DO NOTHING
$$;
