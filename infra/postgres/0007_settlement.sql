-- The end of the day and what follows it: proceeds that settle, intraday positions that were left
-- open, short deliveries, interest on loans, dividends. Each is one call on one account under its
-- lock, done once however often a job asks: what was done is in the rows the call looks at.

-- Intraday positions that are open, and the orders that may still change them.
CREATE INDEX position_open ON ledger.position (trade_date, user_id) WHERE net <> 0;
CREATE INDEX orders_intraday ON ledger.orders (trade_date, user_id)
  WHERE product = 'MIS' AND status IN ('PENDING', 'OPEN', 'PARTIALLY_FILLED', 'TRIGGER_PENDING');
CREATE INDEX orders_square_off ON ledger.orders (trade_date, user_id)
  WHERE client_order_id LIKE 'SQ-%';          -- the broker's own; clients can't use the prefix
CREATE INDEX settlement_due_by_day ON ledger.settlement_due (settles_on, user_id);

CREATE TABLE ledger.shortage (                -- shares sold and not delivered, until they are closed out
  user_id    bigint NOT NULL,
  symbol     text NOT NULL,
  trade_date date NOT NULL,
  seq        bigint NOT NULL,                 -- of the event that debited the valuation
  quantity   bigint NOT NULL CHECK (quantity > 0),
  value      bigint NOT NULL CHECK (value >= 0),      -- what was debited, returned at the close-out
  closed_seq bigint,                          -- of the event that closed it out
  PRIMARY KEY (user_id, symbol, trade_date, seq)
);
CREATE INDEX shortage_open ON ledger.shortage (trade_date, user_id) WHERE closed_seq IS NULL;

CREATE TABLE ledger.loan (                    -- accounts whose loan bears interest
  user_id         bigint PRIMARY KEY,
  charged_through date NOT NULL               -- the last calendar day in India that is charged
);

CREATE TABLE ledger.interest_rate (
  valid_from   date PRIMARY KEY,
  basis_points bigint NOT NULL CHECK (basis_points >= 0),   -- a year, on actual days over 365
  source       text NOT NULL
);
INSERT INTO ledger.interest_rate VALUES ('2023-01-01', 1200, 'our tariff: 12 % a year');

CREATE TABLE ledger.dividend (                -- one announcement; who was paid is in job_entry
  symbol      text NOT NULL,
  record_date date NOT NULL,
  per_share   bigint NOT NULL CHECK (per_share > 0),        -- ten-thousandths of a rupee
  PRIMARY KEY (symbol, record_date)
);

-- Settles what is due of an account that nobody touched. Says whether anything was.
CREATE FUNCTION ledger.settle(p_user bigint, p_today date, p_now timestamptz) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_due boolean;
BEGIN
  v_due := EXISTS (SELECT FROM ledger.settlement_due d
    WHERE d.user_id = p_user AND d.settles_on <= p_today);
  PERFORM ledger.lock_account(p_user, p_today, p_now);
  RETURN v_due;
END $$;

-- A position that outlived its session is delivered. A long one: the account pays what it was entered
-- at, its margin is free, and the shares are a lot of that trade date. A short one: deliver_short.
-- Returns the event's seq, or 0 when there is nothing to deliver or an order may still change it.
CREATE FUNCTION ledger.deliver_position(p_user bigint, p_symbol text, p_trade_date date,
    p_settles_on date, p_today date, p_now timestamptz)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE a ledger.account; b ledger.position; p ledger.position; m record; v_seq bigint;
BEGIN
  a := ledger.lock_account(p_user, p_today, p_now);
  SELECT * INTO b FROM ledger.position x
    WHERE x.user_id = p_user AND x.symbol = p_symbol AND x.trade_date = p_trade_date;
  IF NOT FOUND OR b.net = 0 OR b.open_buy + b.open_sell > 0 THEN RETURN 0; END IF;
  IF b.net < 0 THEN RETURN ledger.deliver_short(a, b, p_settles_on, p_today, p_now); END IF;
  p := b;
  p.net := 0;
  p.open_value := 0;
  PERFORM ledger.keep_position(p);
  INSERT INTO ledger.holding AS h VALUES (p_user, p_symbol, b.net, 0, 0, b.open_value)
    ON CONFLICT (user_id, symbol) DO UPDATE
    SET quantity = h.quantity + b.net, cost = h.cost + b.open_value;
  v_seq := a.seq + CASE WHEN a.cash < b.open_value THEN 2 ELSE 1 END;  -- a loan is an event before
  INSERT INTO ledger.holding_lot VALUES (p_user, p_symbol, v_seq, p_trade_date, p_settles_on, b.net,
    b.open_value);
  SELECT * INTO m FROM ledger.move_cash(a, 'POSITION_DELIVERED', NULL,
    ledger.position_hold(p) - ledger.position_hold(b), p_now,
    '"position":' || ledger.position_facts(p)::text || ',"lots":'
      || json_build_array(json_build_object('lot', v_seq, 'trade_date', p_trade_date,
        'settles_on', p_settles_on, 'quantity', b.net, 'cost', b.open_value))::text
      || ',"holding":' || ledger.holding_facts(p_user, p_symbol, p_today)::text,
    p_symbol, '{client:position}', ARRAY[b.open_value]);
  IF m.event_seq <> v_seq THEN RAISE EXCEPTION 'delivery % became event %', v_seq, m.event_seq; END IF;
  INSERT INTO ledger.posting VALUES (p_user, v_seq, 11, 'client:position', p_symbol, -b.net),
    (p_user, v_seq, 12, 'client:holding', p_symbol, b.net);
  RETURN v_seq;
END $$;

-- A short position on its pay-in day: the account is debited the shares' valuation, to be returned
-- when they are closed out. The position and its margin stay until then. Returns the event's seq, or
-- 0 when there is no shortage, it was valued before, or an order may still change the position.
CREATE FUNCTION ledger.value_shortage(p_user bigint, p_symbol text, p_trade_date date, p_price bigint,
    p_today date, p_now timestamptz)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE a ledger.account; p ledger.position; m record; v_value bigint;
BEGIN
  a := ledger.lock_account(p_user, p_today, p_now);
  SELECT * INTO p FROM ledger.position x
    WHERE x.user_id = p_user AND x.symbol = p_symbol AND x.trade_date = p_trade_date;
  IF NOT FOUND OR p.net >= 0 OR p.open_buy + p.open_sell > 0
      OR EXISTS (SELECT FROM ledger.shortage s WHERE s.user_id = p_user AND s.symbol = p_symbol
        AND s.trade_date = p_trade_date AND s.closed_seq IS NULL) THEN
    RETURN 0;
  END IF;
  v_value := (-p.net * p_price + 50) / 100;
  SELECT * INTO m FROM ledger.move_cash(a, 'SHORT_VALUED', NULL, 0, p_now,
    '"shortage":' || json_build_object('symbol', p_symbol, 'trade_date', p_trade_date,
      'quantity', -p.net, 'price', p_price, 'value', v_value)::text,
    p_symbol, '{house:clearing}', ARRAY[v_value]);
  INSERT INTO ledger.shortage VALUES (p_user, p_symbol, p_trade_date, m.event_seq, -p.net, v_value, NULL);
  RETURN m.event_seq;
END $$;

-- Closes a valued shortage out at a price: what is still short is bought at it, the position ends, the
-- valuation is returned, the penalty and the tax on it are charged. Rates per 10^9 of the close-out's
-- value, each amount half up to the paisa. What was covered meanwhile costs nothing more. Returns the
-- event's seq, or 0 when there is none open or an order may still change the position.
CREATE FUNCTION ledger.close_out(p_user bigint, p_symbol text, p_trade_date date, p_price bigint,
    p_penalty_rate bigint, p_tax_rate bigint, p_today date, p_now timestamptz)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE a ledger.account; s ledger.shortage; b ledger.position; p ledger.position; m record;
  v_quantity bigint; v_entry bigint := 0; v_value bigint; v_penalty bigint; v_tax bigint;
BEGIN
  a := ledger.lock_account(p_user, p_today, p_now);
  SELECT * INTO s FROM ledger.shortage x WHERE x.user_id = p_user AND x.symbol = p_symbol
    AND x.trade_date = p_trade_date AND x.closed_seq IS NULL;
  IF NOT FOUND THEN RETURN 0; END IF;
  SELECT * INTO STRICT b FROM ledger.position x
    WHERE x.user_id = p_user AND x.symbol = p_symbol AND x.trade_date = p_trade_date;
  IF b.open_buy + b.open_sell > 0 THEN RETURN 0; END IF;
  v_quantity := greatest(0, -b.net);
  v_value := (v_quantity * p_price + 50) / 100;
  v_penalty := div(v_value::numeric * p_penalty_rate * 2 + 1000000000, 2000000000)::bigint;
  v_tax := div(v_penalty::numeric * p_tax_rate * 2 + 1000000000, 2000000000)::bigint;
  p := b;
  IF v_quantity > 0 THEN
    v_entry := b.open_value;
    p.net := 0;
    p.open_value := 0;
    p.realised := b.realised + v_entry - v_value;
    PERFORM ledger.keep_position(p);
  END IF;
  SELECT * INTO m FROM ledger.move_cash(a, 'SHORT_CLOSED_OUT', NULL,
    ledger.position_hold(p) - ledger.position_hold(b), p_now,
    '"shortage":' || json_build_object('symbol', p_symbol, 'trade_date', p_trade_date,
      'quantity', v_quantity, 'price', p_price, 'value', v_value, 'returned', s.value,
      'penalty', v_penalty, 'tax', v_tax)::text || ',"position":' || ledger.position_facts(p)::text,
    p_symbol, '{client:position,house:clearing,house:penalty,charge:gst}',
    ARRAY[-v_entry, v_value - s.value, v_penalty, v_tax]);
  IF v_quantity > 0 THEN
    INSERT INTO ledger.posting VALUES
      (p_user, m.event_seq, 11, 'client:position', p_symbol, v_quantity),
      (p_user, m.event_seq, 12, 'house:clearing', p_symbol, -v_quantity);
  END IF;
  UPDATE ledger.shortage x SET closed_seq = m.event_seq WHERE x.user_id = p_user
    AND x.symbol = p_symbol AND x.trade_date = p_trade_date AND x.seq = s.seq;
  RETURN m.event_seq;
END $$;

-- How often a job did its work for an order: what was given back may be charged anew. No client order
-- id has a colon; the second entry for an order and those after it are numbered behind one.
CREATE FUNCTION ledger.entries_of(o ledger.orders, p_job text) RETURNS bigint LANGUAGE sql STABLE AS $$
  SELECT count(*) FROM ledger.job_entry j WHERE j.job = p_job AND j.day = o.trade_date
    AND j.user_id = o.user_id AND split_part(j.instrument, ':', 1) = o.client_order_id
$$;
CREATE FUNCTION ledger.enter_job(o ledger.orders, p_job text, p_seq bigint) RETURNS void
LANGUAGE sql AS $$
  INSERT INTO ledger.job_entry SELECT p_job, o.trade_date, o.user_id, o.client_order_id
    || CASE n.times WHEN 0 THEN '' ELSE ':' || n.times + 1 END, p_seq
    FROM (SELECT ledger.entries_of(o, p_job) AS times) n
$$;

-- What the broker asks for squaring a position off, once for each of its orders that traded. Returns
-- the event's seq, or 0 when the order is still working, did not trade, or was charged before.
CREATE FUNCTION ledger.charge_square_off(p_user bigint, p_order bigint, p_fee bigint, p_tax bigint,
    p_today date, p_now timestamptz)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE a ledger.account; o ledger.orders; m record;
BEGIN
  a := ledger.lock_account(p_user, p_today, p_now);
  SELECT * INTO o FROM ledger.orders x WHERE x.order_id = p_order AND x.user_id = p_user;
  IF NOT FOUND OR ledger.is_working(o.status) OR o.filled_quantity = 0
      OR ledger.entries_of(o, 'SQUARE_OFF') > ledger.entries_of(o, 'SQUARE_OFF_REFUND') THEN
    RETURN 0;
  END IF;
  SELECT * INTO m FROM ledger.move_cash(a, 'SQUARE_OFF_CHARGED', p_order, 0, p_now,
    '"charged":' || json_build_object('order_id', p_order, 'fee', p_fee, 'tax', p_tax)::text,
    o.symbol, '{charge:brokerage,charge:gst}', ARRAY[p_fee, p_tax]);
  PERFORM ledger.enter_job(o, 'SQUARE_OFF', m.event_seq);
  RETURN m.event_seq;
END $$;

-- Gives that fee back when nothing of what the order traded stands any more.
CREATE FUNCTION ledger.refund_square_off(p_user bigint, p_order bigint, p_now timestamptz)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE o ledger.orders; c json; m record;
BEGIN
  SELECT * INTO o FROM ledger.orders x WHERE x.order_id = p_order;
  IF o.client_order_id NOT LIKE 'SQ-%' OR o.filled_quantity > 0
      OR ledger.entries_of(o, 'SQUARE_OFF') = ledger.entries_of(o, 'SQUARE_OFF_REFUND') THEN
    RETURN;
  END IF;
  SELECT e.body::json -> 'charged' INTO STRICT c FROM ledger.job_entry j
    JOIN ledger.ledger_event e USING (user_id, seq) WHERE j.job = 'SQUARE_OFF' AND j.day = o.trade_date
    AND j.user_id = p_user AND split_part(j.instrument, ':', 1) = o.client_order_id
    ORDER BY j.seq DESC LIMIT 1;
  SELECT * INTO m FROM ledger.move_cash(ledger.locked_account(p_user), 'SQUARE_OFF_REFUNDED', p_order,
    0, p_now, '"charged":' || c::text, o.symbol, '{charge:brokerage,charge:gst}',
    ARRAY[-(c ->> 'fee')::bigint, -(c ->> 'tax')::bigint]);
  PERFORM ledger.enter_job(o, 'SQUARE_OFF_REFUND', m.event_seq);
END $$;

-- Interest on the loan as it stood at the end of each calendar day not charged yet, through a day:
-- loan x basis points / (10,000 x 365), half up to the paisa, an event a day. The loan of a day is
-- what the log says of that day, so a late run asks no interest on the interest it was late to book.
-- Returns how many days were charged.
CREATE FUNCTION ledger.charge_interest(p_user bigint, p_through date, p_today date, p_now timestamptz)
RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE a ledger.account; l ledger.loan; m record; v_day date; v_loan bigint; v_rate bigint;
  v_amount bigint; v_days integer := 0;
BEGIN
  a := ledger.lock_account(p_user, p_today, p_now);
  SELECT * INTO l FROM ledger.loan x WHERE x.user_id = p_user;
  IF NOT FOUND THEN RETURN 0; END IF;
  FOR v_day IN SELECT generate_series(l.charged_through + 1, p_through, '1 day')::date LOOP
    SELECT e.borrowed INTO v_loan FROM ledger.ledger_event e WHERE e.user_id = p_user
      AND e.at < (v_day + 1)::timestamp AT TIME ZONE 'Asia/Kolkata' ORDER BY e.seq DESC LIMIT 1;
    SELECT r.basis_points INTO STRICT v_rate FROM ledger.interest_rate r WHERE r.valid_from <= v_day
      ORDER BY r.valid_from DESC LIMIT 1;
    v_amount := div(coalesce(v_loan, 0)::numeric * v_rate * 2 + 3650000, 7300000)::bigint;
    CONTINUE WHEN v_amount = 0;
    SELECT * INTO m FROM ledger.move_cash(a, 'INTEREST_CHARGED', NULL, 0, p_now,
      '"interest":' || json_build_object('day', v_day, 'loan', v_loan, 'basis_points', v_rate,
        'amount', v_amount)::text, NULL, '{house:interest}', ARRAY[v_amount]);
    a := m.account;
    INSERT INTO ledger.job_entry VALUES ('INTEREST', v_day, p_user, '', m.event_seq);
    v_days := v_days + 1;
  END LOOP;
  IF a.borrowed = 0 AND p_through >= p_today - 1 THEN  -- a new loan makes a new row
    DELETE FROM ledger.loan x WHERE x.user_id = p_user;
  ELSE
    UPDATE ledger.loan x SET charged_through = greatest(x.charged_through, p_through)
      WHERE x.user_id = p_user;
  END IF;
  RETURN v_days;
END $$;

-- What of a symbol an account held at the end of the day before a date, by the trade dates of its
-- lots and of what was sold from them since.
CREATE FUNCTION ledger.held_before(p_user bigint, p_symbol text, p_date date) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT coalesce((SELECT sum(l.quantity) FROM ledger.holding_lot l WHERE l.user_id = p_user
      AND l.symbol = p_symbol AND l.trade_date < p_date), 0)::bigint
    + coalesce((SELECT sum(s.quantity) FROM ledger.lot_sale s WHERE s.user_id = p_user
      AND s.symbol = p_symbol AND s.acquired < p_date AND s.trade_date >= p_date), 0)::bigint
$$;

-- Announces a dividend on this shard. Says whether it is as announced before, if it was.
CREATE FUNCTION ledger.announce_dividend(p_symbol text, p_record_date date, p_per_share bigint)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO ledger.dividend VALUES (p_symbol, p_record_date, p_per_share) ON CONFLICT DO NOTHING;
  RETURN (SELECT d.per_share = p_per_share FROM ledger.dividend d
    WHERE d.symbol = p_symbol AND d.record_date = p_record_date);
END $$;

-- Pays an announced dividend on what the account held before the record date, once. Returns the
-- event's seq, or 0 when nothing was held or it was paid before.
CREATE FUNCTION ledger.pay_dividend(p_user bigint, p_symbol text, p_record_date date, p_today date,
    p_now timestamptz)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE a ledger.account; d ledger.dividend; m record; v_quantity bigint; v_amount bigint;
BEGIN
  a := ledger.lock_account(p_user, p_today, p_now);
  SELECT * INTO STRICT d FROM ledger.dividend x
    WHERE x.symbol = p_symbol AND x.record_date = p_record_date;
  v_quantity := ledger.held_before(p_user, p_symbol, p_record_date);
  v_amount := (v_quantity * d.per_share + 50) / 100;
  IF v_amount = 0 OR EXISTS (SELECT FROM ledger.job_entry j WHERE j.job = 'DIVIDEND'
      AND j.day = p_record_date AND j.user_id = p_user AND j.instrument = p_symbol) THEN
    RETURN 0;
  END IF;
  SELECT * INTO m FROM ledger.move_cash(a, 'DIVIDEND_PAID', NULL, 0, p_now,
    '"dividend":' || json_build_object('symbol', p_symbol, 'record_date', p_record_date,
      'quantity', v_quantity, 'per_share', d.per_share, 'amount', v_amount)::text,
    p_symbol, '{house:dividends}', ARRAY[-v_amount]);
  INSERT INTO ledger.job_entry VALUES ('DIVIDEND', p_record_date, p_user, p_symbol, m.event_seq);
  RETURN m.event_seq;
END $$;

GRANT EXECUTE ON FUNCTION ledger.settle, ledger.deliver_position, ledger.value_shortage,
  ledger.close_out, ledger.charge_square_off, ledger.charge_interest, ledger.held_before,
  ledger.announce_dividend, ledger.pay_dividend TO outcry_app;
