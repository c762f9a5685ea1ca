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
  FOR l IN SELECT * FROM ledger.holding_lot x WHERE x.user_id = p_user AND x.symbol = p_symbol
           ORDER BY x.trade_date, x.lot LOOP
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

-- A short position that outlived its session is delivered from the holding as far as that goes: what
-- was sold short for is paid, its margin is free. Only what was bought by the position's trade date is
-- there by its pay-in, and what was valued as a shortage is closed out. Returns the event's seq or 0.
CREATE FUNCTION ledger.deliver_short(a ledger.account, b ledger.position, p_settles_on date,
    p_today date, p_now timestamptz)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE p ledger.position := b; v_quantity bigint; v_value bigint; t record; m record;
BEGIN
  SELECT least(h.quantity - h.open_sell - h.pledged,
      (SELECT coalesce(sum(l.quantity), 0) FROM ledger.holding_lot l WHERE l.user_id = b.user_id
        AND l.symbol = b.symbol AND l.settles_on <= p_settles_on) - h.pledged,
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
    a := ledger.add_due(a, p_settles_on, v_value, least(t.blocked, v_value));
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
  RETURN m.event_seq;
END $$;
