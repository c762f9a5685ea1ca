-- What every change of an account is made of: the lock, the event, the money, the holds.
--
-- The caller locks the account, changes the rows that are the account's, and appends one event with
-- the state after it; nothing else writes these tables. Functions that the application may call run
-- as their owner (SECURITY DEFINER), so its role can't write a money table in any other way.

-- These are planned into what calls them, which PostgreSQL does only for a body at least as stable as
-- the function says it is: the epoch of a timestamptz is not immutable, that of a UTC timestamp is.
CREATE FUNCTION ledger.micros(t timestamptz) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT (extract(epoch FROM t AT TIME ZONE 'UTC') * 1000000)::bigint
$$;

CREATE FUNCTION ledger.rupees(paise bigint) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT (paise * 0.01)::numeric(20, 2)::text  -- exact, which a quotient of 17 digits is not
$$;

-- hash(n) = sha256(hash(n-1) || user || seq || at || kind || ref || changes || state after || body)
CREATE FUNCTION ledger.event_hash(previous bytea, u bigint, n bigint, t timestamptz, k text, r bigint,
    dc bigint, dh bigint, c bigint, h bigint, b bigint, body text)
RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT sha256(previous || int8send(u) || int8send(n) || int8send(ledger.micros(t))
    || int2send(length(k)::smallint) || convert_to(k, 'UTF8') || int8send(coalesce(r, 0))
    || int8send(dc) || int8send(dh) || int8send(c) || int8send(h) || int8send(b)
    || convert_to(body, 'UTF8'))
$$;

-- Writes one event and its outbox row, or (p_later) returns the event for the caller to write; and the
-- account after it, which is not written yet.
-- p_body: members of a JSON object without its braces, or nothing.
CREATE FUNCTION ledger.chain_event(a ledger.account, p_kind text, p_ref bigint, p_cash bigint,
    p_held bigint, p_borrowed bigint, p_at timestamptz, p_body text, p_symbol text, p_command text,
    p_later boolean, OUT account ledger.account, OUT event ledger.ledger_event)
LANGUAGE plpgsql AS $$
DECLARE text_body text;
BEGIN
  a.at := greatest(a.at, p_at);
  a.cash := a.cash + p_cash;
  a.held := a.held + p_held;
  a.borrowed := a.borrowed + p_borrowed;
  a.seq := a.seq + 1;
  text_body := '{' || p_body || CASE p_body WHEN '' THEN '' ELSE ',' END || '"v":1,"funds":{"cash":'
    || a.cash || ',"held":' || a.held || ',"borrowed":' || a.borrowed || ',"unsettled":' || a.unsettled
    || ',"blocked":' || a.blocked || ',"seq":' || a.seq || '}}';
  a.head := ledger.event_hash(a.head, a.user_id, a.seq, a.at, p_kind, p_ref, p_cash, p_held,
    a.cash, a.held, a.borrowed, text_body);
  account := a;
  IF p_later THEN
    event := ROW(a.user_id, a.seq, a.at, p_kind, p_ref, p_cash, p_held, a.cash, a.held, a.borrowed,
      text_body, a.head, NULL);  -- xact: the table's own to say
    RETURN;
  END IF;
  INSERT INTO ledger.ledger_event VALUES (a.user_id, a.seq, a.at, p_kind, p_ref, p_cash, p_held,
    a.cash, a.held, a.borrowed, text_body, a.head);
  INSERT INTO ledger.outbox (part, user_id, seq, symbol, command)
    VALUES ((a.user_id & 7)::smallint, a.user_id, a.seq, p_symbol, p_command);
END $$;

-- Writes one event and its outbox row, and returns the account after it, which is not written yet.
CREATE FUNCTION ledger.log_event(a ledger.account, p_kind text, p_ref bigint, p_cash bigint,
    p_held bigint, p_borrowed bigint, p_at timestamptz, p_body text, p_symbol text, p_command text)
RETURNS ledger.account LANGUAGE sql AS $$
  SELECT (ledger.chain_event(a, p_kind, p_ref, p_cash, p_held, p_borrowed, p_at, p_body, p_symbol,
    p_command, false)).account
$$;

-- Writes the account as its latest event left it.
CREATE FUNCTION ledger.keep_account(a ledger.account) RETURNS ledger.account LANGUAGE plpgsql AS $$
BEGIN
  UPDATE ledger.account SET seq = a.seq, head = a.head, at = a.at, cash = a.cash, held = a.held,
    borrowed = a.borrowed, unsettled = a.unsettled, blocked = a.blocked,
    settles_next = a.settles_next, open_orders = a.open_orders WHERE user_id = a.user_id;
  RETURN a;
END $$;

-- Appends one event under the account's lock (the caller holds it) and returns the account after it.
CREATE FUNCTION ledger.append_event(a ledger.account, p_kind text, p_ref bigint, p_cash bigint,
    p_held bigint, p_borrowed bigint, p_at timestamptz, p_body text, p_symbol text, p_command text)
RETURNS ledger.account LANGUAGE plpgsql AS $$
BEGIN
  RETURN ledger.keep_account(ledger.log_event(a, p_kind, p_ref, p_cash, p_held, p_borrowed, p_at, p_body,
    p_symbol, p_command));
END $$;

-- Ends what was due to settle by today: it can be spent and can leave from that day on. The event
-- bears the time it is written and names the days in its body: what was told of an earlier moment
-- stays as it was told.
CREATE FUNCTION ledger.settle_due(a ledger.account, p_today date, p_now timestamptz)
RETURNS ledger.account LANGUAGE plpgsql AS $$
DECLARE d record;
BEGIN
  WITH gone AS (DELETE FROM ledger.settlement_due x
      WHERE x.user_id = a.user_id AND x.settles_on <= p_today RETURNING *)
    SELECT sum(g.unsettled)::bigint AS unsettled, sum(g.blocked)::bigint AS blocked,
      json_agg(json_build_object('settles_on', g.settles_on, 'unsettled', g.unsettled,
        'blocked', g.blocked) ORDER BY g.settles_on)::text AS days INTO d FROM gone g;
  a.unsettled := a.unsettled - d.unsettled;
  a.blocked := a.blocked - d.blocked;
  a.settles_next := coalesce((SELECT min(x.settles_on) FROM ledger.settlement_due x
    WHERE x.user_id = a.user_id AND x.settles_on > p_today), 'infinity');
  RETURN ledger.append_event(a, 'SETTLED', NULL, 0, 0, 0, p_now, '"settled":' || d.days, NULL, NULL);
END $$;

-- Adds what settles on a later day: proceeds, a part of them blocked, or intraday profit, all blocked.
-- The account's next event records them.
CREATE FUNCTION ledger.add_due(a ledger.account, p_settles_on date, p_unsettled bigint,
    p_blocked bigint, p_intraday bigint)
RETURNS ledger.account LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO ledger.settlement_due AS d
    VALUES (a.user_id, p_settles_on, p_unsettled, p_blocked, p_intraday)
    ON CONFLICT (user_id, settles_on) DO UPDATE
    SET unsettled = d.unsettled + excluded.unsettled, blocked = d.blocked + excluded.blocked,
      intraday = d.intraday + excluded.intraday;
  a.unsettled := a.unsettled + p_unsettled;
  a.blocked := a.blocked + p_blocked;
  a.settles_next := least(a.settles_next, p_settles_on);
  RETURN a;
END $$;

-- The account, locked until the transaction ends, with everything settled that is due by today.
-- Refused with OC421 unless the user's slot is at home here (0009_slots.sql).
CREATE FUNCTION ledger.lock_account(p_user bigint, p_today date, p_now timestamptz)
RETURNS ledger.account LANGUAGE plpgsql AS $$
DECLARE a ledger.account;
BEGIN
  IF ledger.enter_slot(p_user) THEN
    SELECT * INTO a FROM ledger.account WHERE user_id = p_user FOR NO KEY UPDATE;
  END IF;
  IF NOT FOUND THEN RAISE EXCEPTION 'no account %', p_user USING ERRCODE = 'OC404'; END IF;
  IF a.settles_next <= p_today THEN RETURN ledger.settle_due(a, p_today, p_now); END IF;
  RETURN a;
END $$;

-- The account as a lock would find it on a day, for questions that write nothing.
CREATE FUNCTION ledger.account_on(p_user bigint, p_today date) RETURNS ledger.account
LANGUAGE plpgsql STABLE AS $$
DECLARE a ledger.account; d record;
BEGIN
  IF ledger.at_home((p_user & 63)::integer) THEN
    SELECT * INTO a FROM ledger.account x WHERE x.user_id = p_user;
  END IF;
  IF NOT FOUND THEN RAISE EXCEPTION 'no account %', p_user USING ERRCODE = 'OC404'; END IF;
  IF a.settles_next <= p_today THEN
    SELECT sum(x.unsettled)::bigint AS unsettled, sum(x.blocked)::bigint AS blocked INTO d
      FROM ledger.settlement_due x WHERE x.user_id = p_user AND x.settles_on <= p_today;
    a.unsettled := a.unsettled - d.unsettled;
    a.blocked := a.blocked - d.blocked;
  END IF;
  RETURN a;
END $$;

-- Moves the client's cash by minus the sum of the amounts, which are posted to those accounts. A fact
-- is booked whatever the account holds: what its cash lacks is lent by an event before, and money in
-- repays a loan by an event after. event_seq is the seq of the event of p_kind.
CREATE FUNCTION ledger.move_cash(a ledger.account, p_kind text, p_ref bigint, p_held bigint,
    p_at timestamptz, p_body text, p_symbol text, p_accounts text[], p_amounts bigint[],
    OUT account ledger.account, OUT event_seq bigint)
LANGUAGE plpgsql AS $$
DECLARE v_cash bigint := 0; v_short bigint; v_repaid bigint;
BEGIN
  account := a;
  FOR i IN 1..cardinality(p_amounts) LOOP v_cash := v_cash - p_amounts[i]; END LOOP;
  v_short := -(a.cash + v_cash);
  IF v_short > 0 THEN
    account := ledger.append_event(account, 'BORROWED', p_ref, v_short, 0, v_short, p_at, '', NULL, NULL);
    INSERT INTO ledger.posting VALUES (a.user_id, account.seq, 1, 'client:cash', 'INR', v_short),
      (a.user_id, account.seq, 2, 'house:receivable', 'INR', -v_short);
    INSERT INTO ledger.loan VALUES (a.user_id, (account.at AT TIME ZONE 'Asia/Kolkata')::date - 1)
      ON CONFLICT DO NOTHING;  -- bears interest from the end of this day on
  END IF;
  IF account.unsettled > account.cash + v_cash THEN
    account := ledger.cut_dues(account, account.cash + v_cash);
  END IF;
  account := ledger.append_event(account, p_kind, p_ref, v_cash, p_held, 0, p_at, p_body, p_symbol, NULL);
  event_seq := account.seq;
  IF v_cash <> 0 THEN
    INSERT INTO ledger.posting VALUES (a.user_id, event_seq, 1, 'client:cash', 'INR', v_cash);
  END IF;
  INSERT INTO ledger.posting
    SELECT a.user_id, event_seq, (1 + x.line)::smallint, x.name, 'INR', x.amount
    FROM unnest(p_accounts, p_amounts) WITH ORDINALITY AS x (name, amount, line) WHERE x.amount <> 0;
  v_repaid := least(account.borrowed, greatest(v_cash, 0));
  IF v_repaid > 0 THEN
    IF account.unsettled > account.cash - v_repaid THEN
      account := ledger.cut_dues(account, account.cash - v_repaid);
    END IF;
    account := ledger.append_event(account, 'REPAID', p_ref, -v_repaid, 0, -v_repaid, p_at, '', NULL, NULL);
    INSERT INTO ledger.posting VALUES (a.user_id, account.seq, 1, 'client:cash', 'INR', -v_repaid),
      (a.user_id, account.seq, 2, 'house:receivable', 'INR', v_repaid);
  END IF;
END $$;

-- What a working order keeps reserved: cash for a buy (the dearer of what is and what is asked for),
-- shares for a sell, margin for either side intraday. Nothing once it has ended. An order that waits
-- for its trigger keeps what it will need.
CREATE FUNCTION ledger.is_working(status text) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT status IN ('PENDING', 'OPEN', 'PARTIALLY_FILLED', 'TRIGGER_PENDING')
$$;
-- An order that waits, or that ended while it waited. The venue has nothing to say of it.
CREATE FUNCTION ledger.never_sent(o ledger.orders) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT (o.trigger_price IS NOT NULL OR o.releases_at IS NOT NULL) AND o.released_seq IS NULL
$$;
-- A GTT only promises to try: while it waits it keeps nothing. Of two exits that wait together one
-- keeps for both; those of an intraday position keep nothing, for they can only make it smaller.
CREATE FUNCTION ledger.keeps(o ledger.orders) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT ledger.is_working(o.status) AND NOT (o.status = 'TRIGGER_PENDING'
    AND (o.validity = 'GTT'
      OR o.stance IS NOT NULL AND (o.stance <> 'LEADS' OR o.product = 'MIS')))
$$;
CREATE FUNCTION ledger.part_of(reserved bigint, rest bigint, whole bigint)
RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN rest <= 0 THEN 0 WHEN rest = whole THEN reserved
              ELSE ceil(reserved::numeric * rest / whole)::bigint END
$$;
CREATE FUNCTION ledger.reserve_of(o ledger.orders) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN NOT ledger.keeps(o) THEN 0
    ELSE greatest(ledger.part_of(o.reserved, o.quantity - o.filled_quantity, o.quantity),
      CASE WHEN o.pending_change = 'MODIFY'
        THEN ledger.part_of(o.pending_reserved, o.pending_quantity - o.filled_quantity, o.pending_quantity)
        ELSE 0 END) END
$$;
CREATE FUNCTION ledger.shares_of(o ledger.orders) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN NOT ledger.keeps(o) THEN 0
    ELSE greatest(0, greatest(o.quantity, coalesce(o.pending_quantity, 0)) - o.filled_quantity) END
$$;

-- The cash that an intraday position and its working orders hold: margin on whichever side would
-- stand larger if that side's orders filled. An order that only closes needs none.
CREATE FUNCTION ledger.position_hold(p ledger.position) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
  SELECT greatest(m.margin,
    CASE WHEN p.net >= 0 THEN m.margin + p.reserved_buy
      ELSE ledger.part_of(p.reserved_buy, p.open_buy + p.net, p.open_buy) END,
    CASE WHEN p.net <= 0 THEN m.margin + p.reserved_sell
      ELSE ledger.part_of(p.reserved_sell, p.open_sell - p.net, p.open_sell) END)
  FROM (SELECT ceil(p.open_value::numeric * p.margin_rate / 1000000000)::bigint AS margin) m
$$;

-- The position of an intraday order's day, or an empty one; nothing is written.
CREATE FUNCTION ledger.position_of(o ledger.orders) RETURNS ledger.position LANGUAGE plpgsql STABLE AS $$
DECLARE p ledger.position;
BEGIN
  SELECT * INTO p FROM ledger.position x
    WHERE x.user_id = o.user_id AND x.symbol = o.symbol AND x.trade_date = o.trade_date;
  IF NOT FOUND THEN
    p := ROW(o.user_id, o.symbol, o.trade_date, o.margin_rate, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
  END IF;
  RETURN p;
END $$;

-- A position after one of its orders went from b to n (b not working: a new order).
CREATE FUNCTION ledger.with_order(p ledger.position, b ledger.orders, n ledger.orders)
RETURNS ledger.position LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  p.margin_rate := greatest(p.margin_rate, n.margin_rate);
  IF n.side = 'BUY' THEN
    p.open_buy := p.open_buy + ledger.shares_of(n) - ledger.shares_of(b);
    p.reserved_buy := p.reserved_buy + ledger.reserve_of(n) - ledger.reserve_of(b);
  ELSE
    p.open_sell := p.open_sell + ledger.shares_of(n) - ledger.shares_of(b);
    p.reserved_sell := p.reserved_sell + ledger.reserve_of(n) - ledger.reserve_of(b);
  END IF;
  RETURN p;
END $$;

CREATE FUNCTION ledger.keep_position(p ledger.position) RETURNS void LANGUAGE sql AS $$
  INSERT INTO ledger.position SELECT (p).* ON CONFLICT (user_id, symbol, trade_date) DO UPDATE SET
    margin_rate = p.margin_rate, net = p.net, open_value = p.open_value,
    buy_quantity = p.buy_quantity, buy_value = p.buy_value, sell_quantity = p.sell_quantity,
    sell_value = p.sell_value, realised = p.realised, open_buy = p.open_buy,
    open_sell = p.open_sell, reserved_buy = p.reserved_buy, reserved_sell = p.reserved_sell
$$;

-- Books what an order holds as it goes from b to n, and returns by how much `held` changes.
CREATE FUNCTION ledger.rehold(b ledger.orders, n ledger.orders) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE p ledger.position; v_before bigint;
BEGIN
  IF n.product = 'MIS' THEN
    p := ledger.position_of(n);
    v_before := ledger.position_hold(p);
    p := ledger.with_order(p, b, n);
    PERFORM ledger.keep_position(p);
    RETURN ledger.position_hold(p) - v_before;
  ELSIF n.side = 'BUY' THEN
    RETURN ledger.reserve_of(n) - ledger.reserve_of(b);
  END IF;
  UPDATE ledger.holding h SET open_sell = h.open_sell + ledger.shares_of(n) - ledger.shares_of(b)
    WHERE h.user_id = n.user_id AND h.symbol = n.symbol;
  RETURN 0;
END $$;

-- Whether a cancel waits for the change in flight to be answered: it was asked for after it.
CREATE FUNCTION ledger.cancel_waits(o ledger.orders) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
  SELECT coalesce(o.pending_change = 'MODIFY' AND o.change_keys[1] LIKE 'cancel %', false)
$$;

-- What an event tells of a holding, a position, an order. Times in microseconds since 1970. Nothing
-- settles on the day it is traded, so what has not settled holds all that was bought today; the rest
-- of the holding has, and its lots, of which there are most, are not looked at.
-- (A function of rows is planned as part of what asks for them; one of a value is called for each.)
CREATE FUNCTION ledger.holdings_on(p_user bigint, p_today date)
RETURNS TABLE (symbol text, quantity bigint, facts json) LANGUAGE sql STABLE AS $$
  SELECT h.symbol, h.quantity, json_build_object('symbol', h.symbol, 'quantity', h.quantity,
    'open_sell', h.open_sell, 'pledged', h.pledged, 'cost', h.cost,
    'settled', h.quantity - l.t1 - l.today, 't1', l.t1, 'bought_today', l.today)
  FROM ledger.holding h, LATERAL (
    SELECT coalesce(sum(x.quantity) FILTER (WHERE x.trade_date < p_today), 0) AS t1,
      coalesce(sum(x.quantity) FILTER (WHERE x.trade_date >= p_today), 0) AS today
    FROM ledger.holding_lot x
    WHERE x.user_id = h.user_id AND x.symbol = h.symbol AND x.settles_on > p_today) l
  WHERE h.user_id = p_user
$$;

CREATE FUNCTION ledger.holding_facts(p_user bigint, p_symbol text, p_today date)
RETURNS json LANGUAGE sql STABLE AS $$
  SELECT h.facts FROM ledger.holdings_on(p_user, p_today) h WHERE h.symbol = p_symbol
$$;

CREATE FUNCTION ledger.position_facts(p ledger.position) RETURNS json LANGUAGE sql STABLE AS $$
  SELECT json_build_object('symbol', p.symbol, 'product', 'MIS', 'trade_date', p.trade_date,
    'net', p.net, 'open_value', p.open_value, 'buy_quantity', p.buy_quantity,
    'buy_value', p.buy_value, 'sell_quantity', p.sell_quantity, 'sell_value', p.sell_value,
    'realised', p.realised, 'margin', ledger.position_hold(p))
$$;

CREATE FUNCTION ledger.order_facts(o ledger.orders) RETURNS json LANGUAGE sql STABLE AS $$
  SELECT json_build_object('order_id', o.order_id, 'client_order_id', o.client_order_id,
    'venue_order_id', o.venue_order_id, 'symbol', o.symbol, 'side', o.side, 'type', o.type,
    'quantity', o.quantity, 'disclosed_quantity', o.disclosed_quantity, 'price', o.price,
    'limit_price', o.limit_price, 'parent_order_id', o.parent_order_id,
    'group_id', o.group_id, 'leg', o.leg, 'stance', o.stance, 'exits', o.exits,
    'trail', o.trail, 'trail_step', o.trail_step,
    'trigger_price', o.trigger_price, 'trigger_above', o.trigger_above,
    'releases_at', ledger.micros(o.releases_at), 'expires_at', ledger.micros(o.expires_at),
    'product', o.product, 'validity', o.validity,
    'trade_date', o.trade_date, 'reserved', o.reserved, 'margin_rate', o.margin_rate,
    'status', o.status, 'filled_quantity', o.filled_quantity, 'traded_value', o.traded_value,
    'pending_change', o.pending_change, 'cancel_waits', ledger.cancel_waits(o),
    'pending_quantity', o.pending_quantity, 'pending_price', o.pending_price,
    'pending_reserved', o.pending_reserved,
    'request', o.request, 'accepted_request', o.accepted_request,
    'reason_code', o.reason_code, 'reason', o.reason,
    'rules', o.rules, 'created_at', ledger.micros(o.created_at),
    'updated_at', ledger.micros(o.updated_at), 'version', o.version)
$$;

CREATE FUNCTION ledger.new_order_id(p_user bigint) RETURNS bigint LANGUAGE sql VOLATILE AS $$
  -- 42 bits of milliseconds since 2026, 6 of slot, 16 of sequence: ordered by time, unique in a slot
  SELECT (((extract(epoch FROM clock_timestamp()) * 1000)::bigint - 1767225600000) << 22)
    | ((p_user & 63) << 16) | (nextval('ledger.order_number') & 65535)
$$;

-- What the order gateway is to say to the venue, which knows DAY and IOC: longer or shorter lives
-- than its day are kept here.
CREATE FUNCTION ledger.order_command(o ledger.orders) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT CASE
    WHEN o.pending_change IS NULL THEN json_build_object('v', 1, 'order_id', o.order_id,
      'user_id', o.user_id, 'symbol', o.symbol, 'side', o.side, 'kind', 'new', 'type', 'LIMIT',
      'validity', v.validity, 'quantity', o.quantity, 'price', o.limit_price,
      'disclosed', o.disclosed_quantity, 'trade_date', o.trade_date)
    WHEN o.pending_change = 'CANCEL' THEN json_build_object('v', 1, 'order_id', o.order_id,
      'user_id', o.user_id, 'symbol', o.symbol, 'side', o.side, 'kind', 'cancel',
      'quantity', o.quantity, 'request', o.request, 'original', o.accepted_request)
    ELSE json_build_object('v', 1, 'order_id', o.order_id, 'user_id', o.user_id,
      'symbol', o.symbol, 'side', o.side, 'kind', 'replace', 'type', 'LIMIT',
      'validity', v.validity, 'quantity', o.pending_quantity, 'price', o.pending_price,
      'disclosed', o.disclosed_quantity,
      'request', o.request, 'original', o.accepted_request) END::text
  FROM (SELECT CASE o.validity WHEN 'IOC' THEN 'IOC' ELSE 'DAY' END AS validity) v
$$;
