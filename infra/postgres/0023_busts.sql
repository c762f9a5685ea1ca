-- Trades that the venue takes back (150=H) or corrects (150=G): the fill is undone as it was booked, and
-- what it was corrected to is booked as a fill behind it.
--
-- Invariants:
--   * A trade is undone once, by an event of its own (ledger.trade_bust); the fill's event, postings and execution stay.
--   * Whatever can't be undone exactly is not undone at all: the report is parked for a person.

-- The trade that a report is about. ExecRefID(19) names its first report, or the latest correction of it.
CREATE FUNCTION ledger.amended_trade(p_order bigint, p_trade_date date, p_exec_ref text)
RETURNS ledger.execution LANGUAGE sql STABLE AS $$
  WITH RECURSIVE told AS (
    SELECT p_exec_ref AS exec_id
    UNION SELECT b.by_exec_id FROM told t JOIN ledger.trade_bust b ON b.venue = 1
      AND b.trade_date = p_trade_date AND b.exec_id = t.exec_id)
  SELECT x.venue, x.trade_date, x.exec_id, x.user_id, x.order_id, x.exec_type, x.quantity, x.price,
    x.value, x.charges, x.settles_on, x.seq, x.at
  FROM told t JOIN ledger.trade x ON x.venue = 1 AND x.trade_date = p_trade_date
    AND x.exec_id = t.exec_id WHERE x.order_id = p_order
$$;

-- A position made again from the trades of its day that stand, in their order, all but that of one event.
CREATE FUNCTION ledger.position_without(p ledger.position, p_seq bigint) RETURNS ledger.position
LANGUAGE plpgsql STABLE AS $$
DECLARE t record;
BEGIN
  p.net := 0; p.open_value := 0; p.realised := 0;
  p.buy_quantity := 0; p.buy_value := 0; p.sell_quantity := 0; p.sell_value := 0;
  FOR t IN SELECT o.side, coalesce((e.body::json #>> '{short,quantity}')::bigint, x.quantity) AS quantity,
      coalesce((e.body::json #>> '{short,value}')::bigint, x.value) AS value
    FROM ledger.trade x JOIN ledger.orders o USING (user_id, order_id)
    JOIN ledger.ledger_event e USING (user_id, seq)
    WHERE x.user_id = p.user_id AND x.trade_date = p.trade_date AND o.symbol = p.symbol
      AND x.seq <> p_seq AND (e.body::jsonb ? 'short'
        OR o.product = 'MIS' AND o.trade_date = p.trade_date) ORDER BY x.seq
  LOOP
    p := (ledger.fill_position(p, t.side, t.quantity, t.value)).after;
  END LOOP;
  RETURN p;
END $$;

-- Why a bust or a correction can't be booked, or NULL. What was bought must still be there as it was
-- bought; a position must be made of its day's trades alone; the day must not have its note.
CREATE FUNCTION ledger.amendment_fault(o ledger.orders, p_trade_date date, p_exec_ref text, p_today date)
RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE x ledger.execution; p ledger.position;
BEGIN
  x := ledger.amended_trade(o.order_id, p_trade_date, p_exec_ref);
  IF x.seq IS NULL THEN RETURN 'NO_SUCH_TRADE'; END IF;
  IF p_trade_date <> p_today OR EXISTS (SELECT FROM ledger.contract_note n
      WHERE n.user_id = o.user_id AND n.trade_date = p_trade_date) THEN
    RETURN 'AMENDED_AFTER_ITS_DAY';
  END IF;
  IF o.product = 'CNC' AND o.side = 'BUY' AND NOT EXISTS (SELECT FROM ledger.holding_lot l
      WHERE l.user_id = o.user_id AND l.symbol = o.symbol AND l.lot = x.seq
        AND (l.quantity, l.cost) = (x.quantity, x.value)) THEN
    RETURN 'BUSTED_SHARES_SOLD';
  END IF;
  IF o.product = 'CNC' THEN o.trade_date := p_trade_date; END IF;  -- as ledger.trade_position does
  p := ledger.position_of(o);
  IF p <> ledger.position_without(p, 0) THEN RETURN 'POSITION_SETTLED'; END IF;
  RETURN NULL;
END $$;

-- What an amended trade leaves of its order, by the venue's word where the order is not full. An order
-- of an earlier day than the trade's had ended before it, whatever the venue says.
CREATE FUNCTION ledger.left_by(o ledger.orders, p_filled bigint, p_ord_status text, p_trade_date date)
RETURNS text
LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN p_filled >= o.quantity THEN 'LEFT_FILLED'
    WHEN p_ord_status IN ('2', '4', 'C') OR NOT ledger.is_working(o.status) AND (o.status <> 'FILLED'
        OR o.trade_date < p_trade_date)
      THEN 'LEFT_ENDED'
    WHEN p_filled > 0 THEN 'LEFT_PARTLY_FILLED' ELSE 'LEFT_UNFILLED' END
$$;

-- What a fill took from money that was to settle is to settle again: the refund is that money.
CREATE FUNCTION ledger.restore_dues(a ledger.account, x ledger.execution) RETURNS ledger.account
LANGUAGE plpgsql AS $$
DECLARE d record;
BEGIN
  SELECT (b.f ->> 'unsettled')::bigint - (e.f ->> 'unsettled')::bigint AS unsettled,
      (b.f ->> 'blocked')::bigint - (e.f ->> 'blocked')::bigint AS blocked INTO d
    FROM (SELECT y.body::json -> 'funds' AS f FROM ledger.ledger_event y
        WHERE y.user_id = x.user_id AND y.seq = x.seq - 1) b,
      (SELECT y.body::json -> 'funds' AS f FROM ledger.ledger_event y
        WHERE y.user_id = x.user_id AND y.seq = x.seq) e;
  IF d.unsettled <= 0 THEN RETURN a; END IF;
  RETURN ledger.add_due(a, x.settles_on, d.unsettled, d.blocked, 0);
END $$;

-- The proceeds of a sale that was taken back don't come: what of them is still to settle is less by
-- p_gain, what can't be spent before by what its lots had blocked.
CREATE FUNCTION ledger.undo_due(a ledger.account, x ledger.execution, p_gain bigint, p_blocked bigint)
RETURNS ledger.account LANGUAGE plpgsql AS $$
DECLARE d ledger.settlement_due; v_unsettled bigint; v_blocked bigint; v_intraday bigint;
BEGIN
  SELECT * INTO d FROM ledger.settlement_due y
    WHERE y.user_id = a.user_id AND y.settles_on = x.settles_on;
  IF NOT FOUND OR p_gain <= 0 THEN RETURN a; END IF;
  v_intraday := d.intraday;
  v_unsettled := least(p_gain, d.unsettled);
  v_blocked := greatest(least(p_blocked, p_gain, d.blocked - d.intraday),
    d.blocked - d.unsettled + v_unsettled);
  a := ledger.lower_due(a, x.settles_on, v_unsettled, v_blocked);
  UPDATE ledger.settlement_due y SET intraday = least(v_intraday, y.blocked)
    WHERE y.user_id = a.user_id AND y.settles_on = x.settles_on;
  RETURN a;
END $$;

-- Takes the shares of a fill back: a bought lot goes, a sale's shares return to the lots they came
-- from. Returns members of the event's body, each with a comma before it.
CREATE FUNCTION ledger.return_shares(o ledger.orders, x ledger.execution, p_lots json, p_quantity bigint,
    p_seq bigint, p_today date)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE l record; v_sign bigint := CASE o.side WHEN 'BUY' THEN -1 ELSE 1 END; v_cost bigint := 0;
BEGIN
  FOR l IN SELECT * FROM json_to_recordset(p_lots)
      AS y (lot bigint, trade_date date, settles_on date, quantity bigint, cost bigint) LOOP
    v_cost := v_cost + l.cost;
    IF o.side = 'BUY' THEN
      DELETE FROM ledger.holding_lot y WHERE y.user_id = o.user_id AND y.symbol = o.symbol
        AND y.lot = l.lot;
    ELSE
      INSERT INTO ledger.holding_lot AS y VALUES (o.user_id, o.symbol, l.lot, l.trade_date,
        l.settles_on, l.quantity, l.cost)
        ON CONFLICT (user_id, symbol, lot) DO UPDATE
        SET quantity = y.quantity + l.quantity, cost = y.cost + l.cost;
    END IF;
  END LOOP;
  INSERT INTO ledger.lot_sale SELECT y.user_id, p_seq, y.lot, y.symbol, y.acquired, y.trade_date,
    -y.quantity, -y.cost, -y.proceeds FROM ledger.lot_sale y
    WHERE y.user_id = o.user_id AND y.seq = x.seq;
  UPDATE ledger.holding h SET quantity = h.quantity + v_sign * p_quantity, cost = h.cost + v_sign * v_cost
    WHERE h.user_id = o.user_id AND h.symbol = o.symbol;
  RETURN ',"lots":' || p_lots::text || ',"holding":'
    || ledger.holding_facts(o.user_id, o.symbol, p_today)::text;
END $$;

-- What of a sale's proceeds its lots had blocked until they settle (ledger.pick_lots).
CREATE FUNCTION ledger.blocked_by(x ledger.execution, p_lots json) RETURNS bigint
LANGUAGE sql STABLE AS $$
  SELECT coalesce(sum(CASE WHEN l.settles_on <= x.trade_date THEN (s.proceeds * r.settled_percent + 99) / 100
    WHEN l.trade_date >= x.trade_date THEN greatest(0, s.proceeds - s.cost)
    ELSE (s.proceeds * r.t1_percent + 99) / 100 END), 0)::bigint
  FROM json_to_recordset(p_lots) AS l (lot bigint, trade_date date, settles_on date)
  JOIN ledger.lot_sale s ON s.user_id = x.user_id AND s.seq = x.seq AND s.lot = l.lot
  CROSS JOIN LATERAL (SELECT * FROM ledger.proceeds_rule y WHERE y.valid_from <= x.trade_date
    ORDER BY y.valid_from DESC LIMIT 1) r
$$;

-- An order with less filled, as an amended trade leaves it, and its charges on what still stands.
CREATE FUNCTION ledger.without_fill(o ledger.orders, x ledger.execution, p_next text, p_code text,
    p_text text, p_now timestamptz)
RETURNS ledger.orders LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  o := ledger.with_fill(o, -x.quantity, -x.value, p_next, p_now);
  o.reason_code := p_code;
  o.reason := p_text;
  RETURN o;
END $$;

-- Undoes one fill under the account's lock: every posting of its event the other way, its shares, its
-- part of the position, its charges; what of the money had been to settle. p_by: the venue's report.
-- Returns the account and the order after it.
CREATE FUNCTION ledger.bust_fill(a ledger.account, b ledger.orders, x ledger.execution, p_next text,
    p_by text, p_code text, p_text text, p_transacted timestamptz, p_today date, p_now timestamptz,
    OUT account ledger.account, OUT o ledger.orders, OUT event_seq bigint)
LANGUAGE plpgsql AS $$
DECLARE
  f json; v_sign integer := CASE WHEN b.side = 'BUY' THEN 1 ELSE -1 END;
  v_heads bigint[] := '{0,0,0,0,0,0,0}'; v_charged bigint := 0; v_held bigint; v_seq bigint;
  v_short bigint; v_moved bigint; v_realised bigint := 0; v_gain bigint; v_more text := '';
  p ledger.position; q ledger.position; m record;
BEGIN
  SELECT e.body::json INTO STRICT f FROM ledger.ledger_event e WHERE e.user_id = x.user_id AND e.seq = x.seq;
  o := ledger.without_fill(b, x, p_next, p_code, p_text, p_now);
  FOR i IN 1..7 LOOP
    v_heads[i] := b.charges[i] - o.charges[i];
    v_charged := v_charged + v_heads[i];
  END LOOP;
  a.open_orders := a.open_orders + ledger.is_working(p_next)::integer - ledger.is_working(b.status)::integer;
  v_held := ledger.rehold(b, o);
  v_short := CASE b.product WHEN 'MIS' THEN x.quantity
    ELSE coalesce((f #>> '{short,quantity}')::bigint, 0) END;
  v_moved := CASE b.product WHEN 'MIS' THEN 0
    ELSE x.value - coalesce((f #>> '{short,value}')::bigint, 0) END;
  v_gain := v_sign * v_moved + v_charged;
  IF v_short > 0 THEN
    IF b.product = 'CNC' THEN b.trade_date := x.trade_date; END IF;
    p := ledger.position_of(b);
    q := ledger.position_without(p, x.seq);
    PERFORM ledger.keep_position(q);
    v_held := v_held + ledger.position_hold(q) - ledger.position_hold(p);
    v_realised := q.realised - p.realised;
    v_more := ',"position":' || ledger.position_facts(q)::text
      || coalesce(',"short":' || (f -> 'short')::text, '');
    a := ledger.add_result(a, x.trade_date, x.settles_on,
      v_realised + CASE b.product WHEN 'MIS' THEN v_charged ELSE 0 END, p_today);
  END IF;
  v_seq := a.seq + CASE WHEN a.cash + v_realised + v_gain < 0 THEN 2 ELSE 1 END;  -- a loan goes before
  IF b.product = 'CNC' AND b.side = 'BUY' THEN
    a := ledger.restore_dues(a, x);
  ELSIF b.product = 'CNC' THEN
    a := ledger.undo_due(a, x, v_moved - x.charges, ledger.blocked_by(x, f -> 'lots'));
  END IF;
  IF b.product = 'CNC' THEN
    v_more := v_more || ledger.return_shares(b, x, f -> 'lots', x.quantity - v_short, v_seq, p_today);
  END IF;
  SELECT * INTO m FROM ledger.move_cash(a, 'FILL_BUSTED', b.order_id, v_held, p_now,
    '"order":' || ledger.order_facts(o)::text || ',"bust":' || json_build_object(
      'order_id', b.order_id, 'exec_id', x.exec_id, 'by_exec_id', p_by, 'seq', x.seq,
      'symbol', b.symbol, 'side', b.side, 'product', b.product, 'quantity', x.quantity,
      'price', x.price, 'value', x.value, 'charges', v_charged, 'heads', v_heads,
      'trade_date', x.trade_date, 'settles_on', x.settles_on, 'at', ledger.micros(p_transacted))::text
      || ',"alert":' || json_build_object('code', p_code, 'order_id', b.order_id, 'symbol', b.symbol,
      'side', b.side, 'quantity', x.quantity, 'price', x.price)::text || v_more,
    b.symbol, '{house:clearing}' || ledger.charge_accounts() || '{client:position}',
    -v_sign * v_moved || ARRAY(SELECT -h FROM unnest(v_heads) h) || -v_realised);
  IF m.event_seq <> v_seq THEN RAISE EXCEPTION 'bust % became event %', v_seq, m.event_seq; END IF;
  INSERT INTO ledger.posting
    SELECT b.user_id, v_seq, (10 + y.line)::smallint, y.name, y.asset, -v_sign * y.amount FROM (VALUES
      (1, 'client:holding', b.symbol, x.quantity - v_short),
      (2, 'client:position', b.symbol, v_short),
      (3, 'house:clearing', b.symbol, -x.quantity),
      (4, 'client:position', 'INR', v_moved - x.value),
      (5, 'house:clearing', 'INR', x.value - v_moved)
    ) y (line, name, asset, amount) WHERE y.amount <> 0;
  INSERT INTO ledger.trade_bust VALUES (b.user_id, v_seq, x.venue, x.trade_date, x.exec_id, b.order_id, p_by);
  account := m.account;
  event_seq := v_seq;
END $$;

-- Books a bust (H) or a correction (G: the trade undone, and what it is now) of an order as judged.
-- Returns the seq of the last event of it that is the trade's.
CREATE FUNCTION ledger.book_amendment(a ledger.account, b ledger.orders, p_exec_type text, p_exec_id text,
    p_exec_ref text, p_quantity bigint, p_price bigint, p_trade_date date, p_settles_on date, p_next text,
    p_text text, p_transacted timestamptz, p_today date, p_now timestamptz)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE x ledger.execution; m record; o ledger.orders;
BEGIN
  x := ledger.amended_trade(b.order_id, p_trade_date, p_exec_ref);
  m := ledger.bust_fill(a, b, x, p_next, p_exec_id,
    CASE p_exec_type WHEN 'H' THEN 'TRADE_BUSTED' ELSE 'TRADE_CORRECTED' END, p_text, p_transacted,
    p_today, p_now);
  o := m.o;
  UPDATE ledger.orders y SET filled_quantity = o.filled_quantity, traded_value = o.traded_value,
    charges = o.charges, status = o.status, pending_change = o.pending_change,
    pending_quantity = o.pending_quantity, pending_price = o.pending_price,
    pending_reserved = o.pending_reserved, reason_code = o.reason_code, reason = o.reason,
    updated_at = o.updated_at, version = o.version, touched_at = clock_timestamp()
    WHERE y.order_id = o.order_id;
  IF p_exec_type = 'G' THEN
    RETURN ledger.book_fill(m.account, o, p_exec_id, p_quantity, p_price, p_trade_date, p_settles_on,
      p_next, p_transacted, p_today, p_now, 'G');
  END IF;
  INSERT INTO ledger.execution VALUES (1, p_trade_date, p_exec_id, b.user_id, b.order_id, 'H', 0, 0, 0, 0,
    p_settles_on, m.event_seq, p_transacted);
  PERFORM ledger.refund_square_off(b.user_id, b.order_id, p_now);
  IF NOT EXISTS (SELECT FROM ledger.trade y WHERE y.user_id = b.user_id AND y.trade_date = p_trade_date) THEN
    DELETE FROM ledger.contract_note_due d WHERE d.user_id = b.user_id AND d.trade_date = p_trade_date;
  END IF;
  RETURN m.event_seq;
END $$;

-- A venue has filled more of an order than was ordered: the trade is booked as every trade is, and the
-- order and its owner are told by an event of its own. Nothing for an order that is not overfilled.
CREATE FUNCTION ledger.tell_overfill(p_user bigint, p_order bigint, p_now timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE a ledger.account; o ledger.orders;
BEGIN
  UPDATE ledger.orders x SET reason_code = 'OVERFILLED', version = x.version + 1,
    reason = format('the exchange filled %s more than was ordered', x.filled_quantity - x.quantity)
    WHERE x.order_id = p_order AND x.filled_quantity > x.quantity RETURNING * INTO o;
  IF NOT FOUND THEN RETURN; END IF;
  SELECT * INTO STRICT a FROM ledger.account x WHERE x.user_id = p_user;
  PERFORM ledger.append_event(a, 'ORDER_OVERFILLED', p_order, 0, 0, 0, p_now,
    '"order":' || ledger.order_facts(o)::text || ',"alert":' || json_build_object(
      'code', 'OVERFILLED', 'order_id', o.order_id, 'symbol', o.symbol, 'side', o.side,
      'quantity', o.filled_quantity - o.quantity, 'price', o.limit_price)::text, o.symbol, NULL);
END $$;
