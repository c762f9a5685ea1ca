-- What leaves a holding, and what is done about shares that were sold and are not in it.

-- The margin that a delivery sale keeps for the shares it lacked, while their proceeds are kept too:
-- by how much the close-out may cost more than they brought.
CREATE TABLE ledger.shortage_rule (
  valid_from  date PRIMARY KEY,
  margin_rate bigint NOT NULL,                -- per 10^9 of what they were sold for
  source      text NOT NULL
);
INSERT INTO ledger.shortage_rule VALUES
  ('2023-01-27', 200000000, 'NSE: a close-out is 20 % above the settlement price, or more');

-- What a sale takes from which lots of a holding, first in, first out; nothing is written. A pledge
-- stands on the oldest shares, which have settled: a sale takes the oldest behind them. The proceeds
-- are shared out by quantity; `blocked` is what of them can't be spent until they settle, `whole` says
-- that nothing of the lot is left. Gives less than was asked for when that is all there is.
CREATE FUNCTION ledger.pick_lots(p_user bigint, p_symbol text, p_quantity bigint, p_proceeds bigint,
    p_trade_date date)
RETURNS TABLE (lot bigint, trade_date date, settles_on date, quantity bigint, cost bigint,
  proceeds bigint, blocked bigint, whole boolean)
LANGUAGE plpgsql STABLE AS $$
DECLARE l ledger.holding_lot; r ledger.proceeds_rule; v_pledged bigint; v_kept bigint;
  v_gone bigint := 0; v_shared bigint := 0;
BEGIN
  SELECT * INTO STRICT r FROM ledger.proceeds_rule x WHERE x.valid_from <= p_trade_date
    ORDER BY x.valid_from DESC LIMIT 1;
  SELECT h.pledged INTO v_pledged FROM ledger.holding h
    WHERE h.user_id = p_user AND h.symbol = p_symbol;
  -- A lot has a share at least: told the most it can need, the planner walks holding_lot_in_turn and
  -- does not sort them all.
  FOR l IN SELECT * FROM ledger.holding_lot x WHERE x.user_id = p_user AND x.symbol = p_symbol
           ORDER BY x.trade_date, x.lot LIMIT v_pledged + p_quantity LOOP
    EXIT WHEN v_gone = p_quantity;
    v_kept := least(v_pledged, l.quantity);
    v_pledged := v_pledged - v_kept;
    quantity := least(p_quantity - v_gone, l.quantity - v_kept);
    CONTINUE WHEN quantity = 0;
    lot := l.lot; trade_date := l.trade_date; settles_on := l.settles_on;
    cost := div(l.cost::numeric * quantity * 2 + l.quantity, l.quantity * 2)::bigint;
    v_gone := v_gone + quantity;
    proceeds := div(p_proceeds::numeric * v_gone * 2 + p_quantity, p_quantity * 2)::bigint - v_shared;
    v_shared := v_shared + proceeds;
    blocked := CASE
      WHEN l.settles_on <= p_trade_date THEN (proceeds * r.settled_percent + 99) / 100
      WHEN l.trade_date >= p_trade_date THEN greatest(0, proceeds - cost)
      ELSE (proceeds * r.t1_percent + 99) / 100 END;
    whole := quantity = l.quantity;
    RETURN NEXT;
  END LOOP;
END $$;

-- Takes a quantity out of a holding and its lots, and keeps what came from which.
CREATE FUNCTION ledger.take_lots(p_user bigint, p_symbol text, p_quantity bigint, p_proceeds bigint,
    p_seq bigint, p_trade_date date, OUT taken json, OUT cost bigint, OUT blocked bigint)
LANGUAGE plpgsql AS $$
DECLARE t record; v_taken json[] := '{}'; v_gone bigint := 0;
BEGIN
  cost := 0;
  blocked := 0;
  FOR t IN SELECT * FROM ledger.pick_lots(p_user, p_symbol, p_quantity, p_proceeds, p_trade_date) LOOP
    IF t.whole THEN
      DELETE FROM ledger.holding_lot x WHERE x.user_id = p_user AND x.symbol = p_symbol
        AND x.lot = t.lot;
    ELSE
      UPDATE ledger.holding_lot x SET quantity = x.quantity - t.quantity, cost = x.cost - t.cost
        WHERE x.user_id = p_user AND x.symbol = p_symbol AND x.lot = t.lot;
    END IF;
    INSERT INTO ledger.lot_sale VALUES (p_user, p_seq, t.lot, p_symbol, t.trade_date, p_trade_date,
      t.quantity, t.cost, t.proceeds);
    v_taken := v_taken || json_build_object('lot', t.lot, 'trade_date', t.trade_date,
      'settles_on', t.settles_on, 'quantity', t.quantity, 'cost', t.cost);
    v_gone := v_gone + t.quantity;
    cost := cost + t.cost;
    blocked := blocked + t.blocked;
  END LOOP;
  IF v_gone <> p_quantity THEN
    RAISE EXCEPTION 'account % has % free of % % to take', p_user, v_gone, p_quantity, p_symbol;
  END IF;
  UPDATE ledger.holding x SET quantity = x.quantity - p_quantity, cost = x.cost - take_lots.cost
    WHERE x.user_id = p_user AND x.symbol = p_symbol;
  taken := array_to_json(v_taken);
END $$;

-- What of a fill is delivered: bought shares are a lot, sold ones leave the lots that they are taken from.
-- p_gain: the cash that this part moves; of a sale's, what is not usable before it settles is due.
-- `facts`: members of the event's body, each with a comma before it.
CREATE FUNCTION ledger.deliver_fill(a ledger.account, o ledger.orders, p_quantity bigint,
    p_value bigint, p_gain bigint, p_seq bigint, p_trade_date date, p_settles_on date, p_today date,
    OUT account ledger.account, OUT facts text)
LANGUAGE plpgsql AS $$
DECLARE t record; v_lots json;
BEGIN
  account := a;
  IF o.side = 'BUY' THEN
    INSERT INTO ledger.holding AS h VALUES (o.user_id, o.symbol, p_quantity, 0, 0, p_value)
      ON CONFLICT (user_id, symbol) DO UPDATE
      SET quantity = h.quantity + p_quantity, cost = h.cost + p_value;
    INSERT INTO ledger.holding_lot VALUES (o.user_id, o.symbol, p_seq, p_trade_date, p_settles_on,
      p_quantity, p_value);
    v_lots := json_build_array(json_build_object('lot', p_seq, 'trade_date', p_trade_date,
      'settles_on', p_settles_on, 'quantity', p_quantity, 'cost', p_value));
  ELSE
    t := ledger.take_lots(o.user_id, o.symbol, p_quantity, p_value, p_seq, p_trade_date);
    v_lots := t.taken;
    IF p_settles_on > p_today AND p_gain > 0 THEN  -- a late fill has settled by now
      account := ledger.add_due(account, p_settles_on, p_gain, least(t.blocked, p_gain), 0);
    END IF;
  END IF;
  facts := ',"lots":' || v_lots::text || ',"holding":'
    || ledger.holding_facts(o.user_id, o.symbol, p_today)::text;
END $$;

-- What a sale of a trade date can be delivered from: shares bought by then, behind those pledged,
-- which are the oldest. Counted from the younger ones, of which there are few.
CREATE FUNCTION ledger.deliverable(p_user bigint, p_symbol text, p_trade_date date) RETURNS bigint
LANGUAGE sql STABLE AS $$
  SELECT coalesce((SELECT greatest(0, h.quantity - h.pledged - coalesce((SELECT sum(l.quantity)::bigint
      FROM ledger.holding_lot l WHERE l.user_id = p_user AND l.symbol = p_symbol
        AND l.trade_date > p_trade_date), 0))
    FROM ledger.holding h WHERE h.user_id = p_user AND h.symbol = p_symbol), 0)
$$;

-- How many shares of a fill trade in a position: all of an intraday one, and of a delivery sale what
-- the holding can't give. Pledged shares can't leave; those in other open sells can, for this sale has
-- happened and theirs may not.
CREATE FUNCTION ledger.undelivered(o ledger.orders, p_quantity bigint, p_trade_date date)
RETURNS bigint LANGUAGE sql STABLE AS $$
  SELECT CASE WHEN o.product = 'MIS' THEN p_quantity WHEN o.side = 'BUY' THEN 0
    ELSE greatest(0, p_quantity - ledger.deliverable(o.user_id, o.symbol, p_trade_date)) END
$$;

-- Trades in the position of an order's day. Sold for delivery and not held, shares are short in the
-- position of their trade date, with the margin of a shortage. `facts`: members of the event's body.
CREATE FUNCTION ledger.trade_position(o ledger.orders, p_quantity bigint, p_value bigint,
    p_trade_date date, OUT facts text, OUT realised bigint, OUT held bigint)
LANGUAGE plpgsql AS $$
DECLARE b ledger.position; f record;
BEGIN
  facts := '';
  IF o.product <> 'MIS' THEN
    o.trade_date := p_trade_date;
    SELECT r.margin_rate INTO STRICT o.margin_rate FROM ledger.shortage_rule r
      WHERE r.valid_from <= p_trade_date ORDER BY r.valid_from DESC LIMIT 1;
    facts := '"short":' || json_build_object('quantity', p_quantity, 'value', p_value,
      'margin_rate', o.margin_rate)::text || ',';
  END IF;
  b := ledger.position_of(o);
  held := -ledger.position_hold(b);
  b.margin_rate := greatest(b.margin_rate, o.margin_rate);
  f := ledger.fill_position(b, o.side, p_quantity, p_value);
  PERFORM ledger.keep_position(f.after);
  realised := f.realised;
  held := held + ledger.position_hold(f.after);
  facts := facts || '"position":' || ledger.position_facts(f.after)::text;
END $$;

-- A short position that outlived its session is delivered from the holding as far as that goes: what
-- was sold short for is paid, its margin is free. Only what was bought by the position's trade date is
-- there by its pay-in, and what was valued as a shortage is closed out. What leaves the demat account
-- makes the day due for the depository's charge again. Returns the event's seq or 0.
CREATE FUNCTION ledger.deliver_short(a ledger.account, b ledger.position, p_settles_on date,
    p_today date, p_now timestamptz)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE p ledger.position := b; v_quantity bigint; v_value bigint; t record; m record;
BEGIN
  SELECT least(h.quantity - h.open_sell - h.pledged,
      ledger.deliverable(b.user_id, b.symbol, b.trade_date),
      -b.net - (SELECT coalesce(sum(s.quantity), 0) FROM ledger.shortage s
        WHERE s.user_id = b.user_id AND s.symbol = b.symbol AND s.trade_date = b.trade_date
        AND s.closed_seq IS NULL))::bigint
    INTO v_quantity FROM ledger.holding h WHERE h.user_id = b.user_id AND h.symbol = b.symbol;
  IF coalesce(v_quantity, 0) <= 0 THEN RETURN 0; END IF;
  v_value := div(b.open_value::numeric * v_quantity * 2 - b.net, -b.net * 2)::bigint;
  p.net := b.net + v_quantity;
  p.open_value := b.open_value - v_value;
  PERFORM ledger.keep_position(p);
  t := ledger.take_lots(b.user_id, b.symbol, v_quantity, v_value, a.seq + 1, b.trade_date);
  IF p_settles_on > p_today AND v_value > 0 THEN
    a := ledger.add_due(a, p_settles_on, v_value, least(t.blocked, v_value), 0);
  END IF;
  SELECT * INTO m FROM ledger.move_cash(a, 'SHORT_DELIVERED', NULL,
    ledger.position_hold(p) - ledger.position_hold(b), p_now,
    '"delivery":' || json_build_object('symbol', b.symbol, 'trade_date', b.trade_date,
      'settles_on', p_settles_on, 'quantity', v_quantity, 'value', v_value)::text
      || ',"position":' || ledger.position_facts(p)::text || ',"lots":' || t.taken::text
      || ',"holding":' || ledger.holding_facts(b.user_id, b.symbol, p_today)::text,
    b.symbol, '{client:position}', ARRAY[-v_value]);
  INSERT INTO ledger.posting VALUES
    (b.user_id, m.event_seq, 11, 'client:position', b.symbol, v_quantity),
    (b.user_id, m.event_seq, 12, 'client:holding', b.symbol, -v_quantity);
  INSERT INTO ledger.contract_note_due VALUES (b.trade_date, b.user_id) ON CONFLICT DO NOTHING;
  RETURN m.event_seq;
END $$;
