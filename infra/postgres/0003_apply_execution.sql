-- What the venue reported becomes fact: dedupe, advance the order by its transition table, post,
-- release the hold, record the session position, outbox. One call, one round trip, one transaction.
-- A report is a claim: one that contradicts the order's life is parked with its user's later reports.

-- Takes a quantity out of a holding's lots, oldest first.
CREATE FUNCTION ledger.take_lots(p_user bigint, p_symbol text, p_quantity bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE l ledger.holding_lot; rest bigint := p_quantity;
BEGIN
  FOR l IN SELECT * FROM ledger.holding_lot x WHERE x.user_id = p_user AND x.symbol = p_symbol
           ORDER BY x.trade_date LOOP
    EXIT WHEN rest = 0;
    IF l.quantity <= rest THEN
      DELETE FROM ledger.holding_lot x WHERE x.user_id = p_user AND x.symbol = p_symbol
        AND x.trade_date = l.trade_date;
      rest := rest - l.quantity;
    ELSE
      UPDATE ledger.holding_lot x SET quantity = x.quantity - rest WHERE x.user_id = p_user
        AND x.symbol = p_symbol AND x.trade_date = l.trade_date;
      rest := 0;
    END IF;
  END LOOP;
END $$;

-- Charges on what an order has traded so far, by head: rates per 10^9 of the value, each rounded half
-- up to the paisa, the tax on services (rate 7) on brokerage, exchange and regulator's fee. Computed
-- on the whole and booked as the difference, so that many small fills cost what one large one does.
CREATE FUNCTION ledger.charges_on(p_value bigint, p_rates bigint[]) RETURNS bigint[]
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE c bigint[] := '{0,0,0,0,0,0,0}';
BEGIN
  FOR i IN 1..6 LOOP
    c[i] := div(p_value::numeric * p_rates[i] * 2 + 1000000000, 2000000000)::bigint;
  END LOOP;
  c[7] := div((c[1] + c[3] + c[5])::numeric * p_rates[7] * 2 + 1000000000, 2000000000)::bigint;
  RETURN c;
END $$;

-- One fill, under the account's lock: money, shares, charges, postings, event. Returns its event's seq.
CREATE FUNCTION ledger.book_fill(a ledger.account, o ledger.orders, p_exec_id text, p_quantity bigint,
    p_price bigint, p_trade_date date, p_next text, p_transacted timestamptz, p_now timestamptz)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  v_value bigint := (p_quantity * p_price + 50) / 100;
  v_sign integer := CASE WHEN o.side = 'BUY' THEN -1 ELSE 1 END;
  v_before bigint := ledger.cash_hold(o);
  v_shares bigint := ledger.share_hold(o);
  v_working boolean := ledger.is_working(o.status);
  v_charges bigint[]; v_charged bigint := 0; v_cash bigint; v_short bigint; v_line smallint := 2;
  v_fill jsonb; v_holding jsonb; v_seq bigint; v_repaid bigint;
BEGIN
  o.filled_quantity := o.filled_quantity + p_quantity;
  o.traded_value := o.traded_value + v_value;
  v_charges := ledger.charges_on(o.traded_value, o.charge_rates);
  FOR i IN 1..7 LOOP v_charged := v_charged + v_charges[i] - o.charges[i]; END LOOP;
  v_cash := v_sign * v_value - v_charged;
  o.status := p_next;
  IF NOT ledger.is_working(o.status) THEN
    o.pending_change := NULL;
    o.pending_quantity := NULL;
    o.pending_price := NULL;
    o.pending_reserved := NULL;
  END IF;
  o.updated_at := p_now;
  o.version := o.version + 1;
  v_shares := v_shares - ledger.share_hold(o);
  IF o.side = 'BUY' THEN
    INSERT INTO ledger.holding AS h VALUES (o.user_id, o.symbol, p_quantity, 0, v_value)
      ON CONFLICT (user_id, symbol) DO UPDATE
      SET quantity = h.quantity + p_quantity, cost = h.cost + v_value;
    INSERT INTO ledger.holding_lot AS l VALUES (o.user_id, o.symbol, p_trade_date, p_quantity)
      ON CONFLICT (user_id, symbol, trade_date) DO UPDATE SET quantity = l.quantity + p_quantity;
  ELSE
    UPDATE ledger.holding h SET quantity = h.quantity - p_quantity, open_sell = h.open_sell - v_shares,
      cost = h.cost - div(h.cost::numeric * p_quantity * 2 + h.quantity, h.quantity * 2)::bigint
      WHERE h.user_id = o.user_id AND h.symbol = o.symbol;
    PERFORM ledger.take_lots(o.user_id, o.symbol, p_quantity);
    IF a.unsettled_on < p_trade_date THEN  -- yesterday's proceeds settled with T+1
      a.unsettled := 0;
      a.unsettled_on := p_trade_date;
    END IF;
    IF a.unsettled_on = p_trade_date THEN  -- a late fill of an earlier day has settled by now
      a.unsettled := greatest(0, a.unsettled + v_cash);
    END IF;
  END IF;
  v_short := -(a.cash + v_cash);
  IF v_short > 0 THEN  -- a fill is a fact: what the account lacks is lent, and said so
    a := ledger.append_event(a, 'BORROWED', o.order_id, v_short, 0, v_short, p_now, '{}', NULL, NULL);
    INSERT INTO ledger.posting VALUES (o.user_id, a.seq, 1, 'client:cash', 'INR', v_short),
      (o.user_id, a.seq, 2, 'house:receivable', 'INR', -v_short);
  END IF;
  v_fill := jsonb_build_object('order_id', o.order_id, 'exec_id', p_exec_id, 'symbol', o.symbol,
    'side', o.side, 'quantity', p_quantity, 'price', p_price, 'value', v_value, 'charges', v_charged,
    'trade_date', to_char(p_trade_date, 'YYYY-MM-DD'), 'at', ledger.micros(p_transacted));
  v_holding := ledger.holding_facts(o.user_id, o.symbol, p_trade_date);
  IF v_working AND NOT ledger.is_working(o.status) THEN a.open_orders := a.open_orders - 1; END IF;
  a := ledger.append_event(a, 'FILL', o.order_id, v_cash, ledger.cash_hold(o) - v_before, 0, p_now,
    jsonb_build_object('order', ledger.order_facts(o), 'fill', v_fill, 'holding', v_holding), o.symbol,
    NULL);
  v_seq := a.seq;
  INSERT INTO ledger.posting VALUES (o.user_id, v_seq, 1, 'client:cash', 'INR', v_cash),
    (o.user_id, v_seq, 2, 'house:clearing', 'INR', -v_sign * v_value);
  INSERT INTO ledger.posting
    SELECT o.user_id, v_seq, (2 + h.head)::smallint, h.account, 'INR', v_charges[h.head] - o.charges[h.head]
    FROM ledger.charge_head h WHERE v_charges[h.head] <> o.charges[h.head];
  INSERT INTO ledger.posting VALUES
    (o.user_id, v_seq, 10, 'client:holding', o.symbol, -v_sign * p_quantity),
    (o.user_id, v_seq, 11, 'house:clearing', o.symbol, v_sign * p_quantity);
  INSERT INTO ledger.execution VALUES (1, p_trade_date, p_exec_id, o.user_id, o.order_id, 'F',
    p_quantity, p_price, v_value, v_charged, v_seq, p_transacted);
  UPDATE ledger.orders x SET filled_quantity = o.filled_quantity, traded_value = o.traded_value,
    charges = v_charges, status = o.status, pending_change = o.pending_change,
    pending_quantity = o.pending_quantity, pending_price = o.pending_price,
    pending_reserved = o.pending_reserved, updated_at = o.updated_at, version = o.version,
    venue_order_id = o.venue_order_id, touched_at = clock_timestamp() WHERE x.order_id = o.order_id;
  v_repaid := least(a.borrowed, greatest(v_cash, 0));
  IF v_repaid > 0 THEN  -- sale proceeds repay a loan first
    a := ledger.append_event(a, 'REPAID', o.order_id, -v_repaid, 0, -v_repaid, p_now, '{}', NULL, NULL);
    INSERT INTO ledger.posting VALUES (o.user_id, a.seq, 1, 'client:cash', 'INR', -v_repaid),
      (o.user_id, a.seq, 2, 'house:receivable', 'INR', v_repaid);
  END IF;
  RETURN v_seq;
END $$;

-- A report that moves no money: acknowledged, cancelled, expired, rejected, replaced, change refused.
CREATE FUNCTION ledger.book_change(a ledger.account, o ledger.orders, p_happening text, p_next text,
    p_request integer, p_code text, p_text text, p_now timestamptz)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  v_cash bigint := ledger.cash_hold(o);
  v_shares bigint := ledger.share_hold(o);
  v_working boolean := ledger.is_working(o.status);
BEGIN
  IF p_happening IN ('REPLACED', 'REPLACED_DOWN') THEN
    -- Never below what has been filled: the venue answers such a request with CumQty (D.2, D.3).
    o.quantity := greatest(o.pending_quantity, o.filled_quantity);
    o.limit_price := o.pending_price;
    o.price := CASE WHEN o.type = 'LIMIT' THEN o.limit_price END;
    o.reserved := o.pending_reserved;
    o.accepted_request := p_request;
  END IF;
  IF p_happening IN ('REPLACED', 'CHANGE_REFUSED') OR NOT ledger.is_working(p_next) THEN
    o.pending_change := NULL;
    o.pending_quantity := NULL;
    o.pending_price := NULL;
    o.pending_reserved := NULL;
  END IF;
  IF p_happening IN ('REJECTED', 'CHANGE_REFUSED', 'EXPIRED') THEN
    o.reason_code := p_code;
    o.reason := p_text;
  END IF;
  o.status := p_next;
  o.updated_at := p_now;
  o.version := o.version + 1;
  v_cash := ledger.cash_hold(o) - v_cash;
  v_shares := ledger.share_hold(o) - v_shares;
  IF v_working AND NOT ledger.is_working(o.status) THEN a.open_orders := a.open_orders - 1; END IF;
  IF v_shares <> 0 THEN
    UPDATE ledger.holding h SET open_sell = h.open_sell + v_shares
      WHERE h.user_id = o.user_id AND h.symbol = o.symbol;
  END IF;
  UPDATE ledger.orders x SET quantity = o.quantity, limit_price = o.limit_price, price = o.price,
    reserved = o.reserved, accepted_request = o.accepted_request, pending_change = o.pending_change,
    pending_quantity = o.pending_quantity, pending_price = o.pending_price,
    pending_reserved = o.pending_reserved, reason_code = o.reason_code, reason = o.reason,
    status = o.status, venue_order_id = o.venue_order_id, updated_at = o.updated_at,
    version = o.version, touched_at = clock_timestamp() WHERE x.order_id = o.order_id;
  a := ledger.append_event(a, CASE p_happening WHEN 'CHANGE_REFUSED' THEN p_happening
      WHEN 'REPLACED_DOWN' THEN 'ORDER_REPLACED' ELSE 'ORDER_' || p_happening END,
    o.order_id, 0, v_cash, 0, p_now,
    jsonb_build_object('order', ledger.order_facts(o)), o.symbol, NULL);
  RETURN a.seq;
END $$;

-- The happening a report claims, or NULL when it says nothing new.
CREATE FUNCTION ledger.happening_of(o ledger.orders, p_exec_type text, p_ord_status text,
    p_quantity bigint, p_cumulative bigint, p_request integer, p_reject_code integer)
RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE
    WHEN p_exec_type = 'F' AND o.filled_quantity + p_quantity >= o.quantity THEN 'FULLY_FILLED'
    WHEN p_exec_type = 'F' THEN 'PARTLY_FILLED'
    WHEN p_exec_type = '0' THEN CASE WHEN o.venue_order_id IS NULL THEN 'ACKNOWLEDGED' END
    -- An ending told twice (once as the answer to our question) says nothing new.
    WHEN p_exec_type = '4' THEN CASE WHEN o.status <> 'CANCELLED' THEN 'CANCELLED' END
    WHEN p_exec_type = 'C' THEN CASE WHEN o.status <> 'EXPIRED' THEN 'EXPIRED' END
    -- 103=6: the venue has this ClOrdID already. It refuses the copy; the order itself lives on.
    WHEN p_exec_type = '8' THEN CASE WHEN o.status <> 'REJECTED'
      AND p_reject_code IS DISTINCT FROM 6 THEN 'REJECTED' END
    WHEN p_exec_type = '5' THEN CASE WHEN o.pending_change = 'MODIFY' AND o.request = p_request
      THEN CASE WHEN o.pending_quantity <= o.filled_quantity THEN 'REPLACED_DOWN'
                ELSE 'REPLACED' END END
    WHEN p_exec_type = '9' THEN CASE WHEN o.pending_change IS NOT NULL AND o.request = p_request
      THEN 'CHANGE_REFUSED' END
    -- An answer to our question: it may tell of an ending, never of fills we have yet to be told of.
    WHEN p_exec_type = 'I' AND ledger.is_working(o.status) AND p_cumulative = o.filled_quantity THEN
      CASE WHEN p_ord_status = '0' AND o.status = 'PENDING' THEN 'ACKNOWLEDGED'
        WHEN p_ord_status = '4' THEN 'CANCELLED'
        WHEN p_ord_status = 'C' THEN 'EXPIRED'
        WHEN p_ord_status = '8' AND p_reject_code IS DISTINCT FROM 5 THEN 'REJECTED' END
  END
$$;

-- Why a report can't be taken at its word, or NULL: what is wrong with it before the order's life
-- is looked at. A correction or a bust (G, H) moves money in a way nothing here books.
CREATE FUNCTION ledger.fault_of(o ledger.orders, p_exec_type text, p_quantity bigint, p_price bigint)
RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE
    WHEN p_exec_type NOT IN ('0', '4', '5', '6', '8', '9', 'A', 'C', 'E', 'F', 'I')
      THEN 'UNKNOWN_EXEC_TYPE ' || p_exec_type
    WHEN p_exec_type = 'F' AND (p_quantity <= 0 OR p_price <= 0) THEN 'EMPTY_FILL'
    WHEN p_exec_type = 'F' AND p_quantity > o.quantity - o.filled_quantity
      THEN 'FILLED_MORE_THAN_ORDERED'
    -- 10^17 paise: no price of this world, and what 64 bits can still be added to.
    WHEN p_exec_type = 'F' AND p_quantity::numeric * p_price > 10 ^ 19 THEN 'IMPOSSIBLE_PRICE' END
$$;

-- outcome: APPLIED, DUPLICATE, NOTHING (said nothing new) or PARKED (with why).
CREATE FUNCTION ledger.apply_execution(p_session text, p_position bigint, p_user bigint,
    p_order bigint, p_request integer, p_exec_id text, p_exec_type text, p_ord_status text,
    p_venue_order_id text, p_quantity bigint, p_price bigint, p_cumulative bigint,
    p_trade_date date, p_transacted timestamptz, p_reject_code integer, p_code text, p_text text,
    p_report text, p_now timestamptz)
RETURNS TABLE (outcome text, why text, seq bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE a ledger.account; o ledger.orders; x ledger.execution; h text; v_next text; v_why text;
  v_seq bigint;
BEGIN
  IF p_user = 0 THEN  -- a cancel reject (35=9) need not name the account; the order does
    p_user := coalesce((SELECT y.user_id FROM ledger.orders y WHERE y.order_id = p_order), 0);
  END IF;
  INSERT INTO ledger.fix_applied VALUES (p_session, p_position) ON CONFLICT DO NOTHING;
  SELECT * INTO a FROM ledger.account y WHERE y.user_id = p_user FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    v_why := 'UNKNOWN_ACCOUNT';
  ELSIF EXISTS (SELECT FROM ledger.parked_execution y WHERE y.user_id = p_user) THEN
    v_why := 'BEHIND_A_PARKED_REPORT';
  ELSE
    SELECT * INTO o FROM ledger.orders y WHERE y.order_id = p_order AND y.user_id = p_user;
    IF NOT FOUND THEN v_why := 'UNKNOWN_ORDER'; END IF;
  END IF;
  IF v_why IS NULL AND p_exec_type NOT IN ('I', '9') THEN
    SELECT * INTO x FROM ledger.execution e
      WHERE e.venue = 1 AND e.trade_date = p_trade_date AND e.exec_id = p_exec_id;
    IF FOUND THEN
      IF (x.order_id, x.exec_type) = (p_order, p_exec_type)
          AND (p_exec_type <> 'F' OR (x.quantity, x.price) = (p_quantity, p_price)) THEN
        RETURN QUERY SELECT 'DUPLICATE'::text, NULL::text, 0::bigint;
        RETURN;
      END IF;
      v_why := 'EXEC_ID_REUSED';
    END IF;
  END IF;
  IF v_why IS NULL THEN
    v_why := ledger.fault_of(o, p_exec_type, p_quantity, p_price);
  END IF;
  IF v_why IS NULL THEN
    h := ledger.happening_of(o, p_exec_type, p_ord_status, p_quantity, p_cumulative, p_request,
      p_reject_code);
    IF h IS NULL THEN
      RETURN QUERY SELECT 'NOTHING'::text, NULL::text, 0::bigint;
      RETURN;
    END IF;
    IF h = 'CHANGE_REFUSED' THEN
      v_next := o.status;
    ELSE
      SELECT t.next INTO v_next FROM ledger.order_transition t
        WHERE t.status = o.status AND t.happening = h;
      IF NOT FOUND THEN v_why := 'ILLEGAL_TRANSITION ' || o.status || ' ' || h; END IF;
    END IF;
    IF h IN ('PARTLY_FILLED', 'FULLY_FILLED') AND o.side = 'SELL'
        AND NOT EXISTS (SELECT FROM ledger.holding g WHERE g.user_id = p_user
          AND g.symbol = o.symbol AND g.quantity >= p_quantity) THEN
      v_why := 'SOLD_MORE_THAN_HELD';
    END IF;
  END IF;
  IF v_why = 'BEHIND_A_PARKED_REPORT' AND p_exec_type = 'I' THEN
    -- An answer to the sweep, which asks again while it matters: one kept each time has no end.
    RETURN QUERY SELECT 'NOTHING'::text, NULL::text, 0::bigint;
    RETURN;
  END IF;
  IF v_why IS NOT NULL THEN
    INSERT INTO ledger.parked_execution VALUES (p_session, p_position, p_user, p_order, v_why,
      p_report, p_now) ON CONFLICT DO NOTHING;
    RETURN QUERY SELECT 'PARKED'::text, v_why, 0::bigint;
    RETURN;
  END IF;
  o.venue_order_id := coalesce(o.venue_order_id, nullif(p_venue_order_id, 'NONE'));
  IF h IN ('PARTLY_FILLED', 'FULLY_FILLED') THEN
    v_seq := ledger.book_fill(a, o, p_exec_id, p_quantity, p_price, p_trade_date, v_next,
      p_transacted, p_now);
  ELSE
    v_seq := ledger.book_change(a, o, h, v_next, p_request, p_code, p_text, p_now);
    IF p_exec_type NOT IN ('I', '9') THEN
      INSERT INTO ledger.execution VALUES (1, p_trade_date, p_exec_id, p_user, p_order, p_exec_type,
        0, 0, 0, 0, v_seq, p_transacted);
    END IF;
  END IF;
  RETURN QUERY SELECT 'APPLIED'::text, NULL::text, v_seq;
END $$;

-- A report that apply_execution could not work through: its own transaction is undone, and this keeps
-- the report for a person, with its position, so that the session's checkpoint moves on.
CREATE FUNCTION ledger.park_execution(p_session text, p_position bigint, p_user bigint, p_order bigint,
    p_why text, p_report text, p_now timestamptz)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF p_user = 0 THEN
    p_user := coalesce((SELECT y.user_id FROM ledger.orders y WHERE y.order_id = p_order), 0);
  END IF;
  -- As when a report is applied: no order of the account is judged while it comes under review.
  PERFORM FROM ledger.account y WHERE y.user_id = p_user FOR NO KEY UPDATE;
  INSERT INTO ledger.fix_applied VALUES (p_session, p_position) ON CONFLICT DO NOTHING;
  INSERT INTO ledger.parked_execution VALUES (p_session, p_position, p_user, p_order, p_why, p_report,
    p_now) ON CONFLICT DO NOTHING;
END $$;

-- A record of the stream that can't even be read, kept for a person. It tells no session position:
-- the gateway hands on only what it has read back itself, and so no checkpoint waits for this one.
CREATE FUNCTION ledger.park_unreadable(p_session text, p_position bigint, p_report text, p_now timestamptz)
RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO ledger.parked_execution VALUES (p_session, p_position, 0, 0, 'UNREADABLE', p_report, p_now)
    ON CONFLICT DO NOTHING
$$;
