-- Orders that wait for a price or a time before the venue is told of them.
--
-- Invariants kept here:
--   * A waiting order (TRIGGER_PENDING) has reserved what it will need, and counts as an open order;
--     a GTT reserves nothing and is judged as a new order when it is released.
--   * It is handed to the venue once, by release_order under its account's lock: whoever asks names
--     the version that it saw, and each change of the order makes another. Asked again, or by two
--     watchers at once, the second finds it released.
--   * The database holds the trigger against the price that is said to have reached it; what the
--     watcher saw is kept in the event.
-- Prices in ten-thousandths of a rupee, as everywhere.

-- What edge/triggers watches: read whole when it starts.
CREATE INDEX orders_watched ON ledger.orders (order_id) WHERE expires_at IS NOT NULL
  AND status IN ('TRIGGER_PENDING', 'PENDING', 'OPEN', 'PARTIALLY_FILLED');

-- An account's GTTs that wait, to be counted.
CREATE INDEX orders_gtt ON ledger.orders (user_id)
  WHERE validity = 'GTT' AND status = 'TRIGGER_PENDING';
-- GTC orders that the venue's day or its rules ended: what is left of them is placed again for the
-- next session.
CREATE INDEX orders_to_renew ON ledger.orders (user_id, order_id)
  WHERE validity = 'GTC'
    AND (status = 'EXPIRED' OR status = 'CANCELLED' AND reason_code = 'VENUE_CANCELLED');

-- A new order with its terms: trigger_price, releases_at (it waits for one of them), expires_at, the
-- trade_date that it is for, when that isn't today, and the order that it continues. trigger_above:
-- whether prices reach it from below. A stop with a target is one of two legs and keeps for both;
-- exits: what an entry's fills bring to life; trail, trail_step: 0021_linked_exits.sql.
CREATE FUNCTION ledger.with_terms(o ledger.orders, p_terms json) RETURNS ledger.orders
LANGUAGE plpgsql STABLE AS $$
BEGIN
  o.trigger_price := (p_terms ->> 'trigger_price')::bigint;
  o.trigger_above := (p_terms ->> 'trigger_above')::boolean;
  o.releases_at := (p_terms ->> 'releases_at')::timestamptz;
  o.expires_at := (p_terms ->> 'expires_at')::timestamptz;
  o.parent_order_id := (p_terms ->> 'parent_order_id')::bigint;
  o.trade_date := coalesce((p_terms ->> 'trade_date')::date, o.trade_date);
  o.trail := (p_terms ->> 'trail')::bigint;
  o.trail_step := (p_terms ->> 'trail_step')::bigint;
  o.exits := nullif((p_terms -> 'exits')::jsonb, 'null');
  IF json_typeof(p_terms -> 'target') = 'object' THEN
    o.leg := 'STOP';
    o.stance := 'LEADS';
  END IF;
  IF ledger.never_sent(o) THEN o.status := 'TRIGGER_PENDING'; END IF;
  RETURN ledger.with_stance(o);
END $$;

-- What a new order's terms may break by what the account has: so many GTTs at most, two legs being
-- one, exits of no more than is open to be exited, and a plan's order one at a time
-- (0022_sliced_orders.sql).
CREATE FUNCTION ledger.terms_rules(o ledger.orders, p_terms json) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
DECLARE v_most integer := (p_terms ->> 'gtt_max')::integer; v_there integer; v_open bigint;
BEGIN
  IF o.leg IS NOT NULL AND o.product = 'MIS' THEN
    v_open := greatest(0, ledger.open_to_exit(o));
    IF o.quantity > v_open THEN
      RETURN jsonb_build_array(ledger.rule('NOTHING_TO_EXIT', 'more than the position has open',
        o.quantity::text, v_open::text, v_open));
    END IF;
  END IF;
  IF v_most IS NULL THEN RETURN ledger.plan_rules(o); END IF;
  SELECT count(DISTINCT coalesce(x.group_id, x.order_id)) INTO v_there
    FROM ledger.orders x WHERE x.user_id = o.user_id
    AND x.validity = 'GTT' AND x.status = 'TRIGGER_PENDING';
  IF v_there < v_most THEN RETURN '[]'; END IF;
  RETURN jsonb_build_array(ledger.rule('TOO_MANY_GTT', 'cancel one first', (v_there + 1)::text,
    v_most::text, 0));
END $$;

-- Whether what it waits for has come: a trade at the trigger or beyond, or the time. Never to a leg
-- whose sibling is at the venue.
CREATE FUNCTION ledger.is_due(o ledger.orders, p_price bigint, p_now timestamptz) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN o.stance = 'STANDS_BY' THEN false
    WHEN o.trigger_price IS NULL THEN o.releases_at <= p_now
    WHEN o.trigger_above THEN p_price >= o.trigger_price
    ELSE p_price <= o.trigger_price END
$$;

-- Whether a GTC order ends by these rules: without the cash or the shares, where it is not traded any
-- more, or by its user's kill switch. The others are of their day (a band, a halt, a review, too many orders) and it outlives them.
CREATE FUNCTION ledger.ends_for_good(p_rules jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
  SELECT EXISTS (SELECT FROM jsonb_array_elements(p_rules) r
    WHERE r ->> 'code' IN ('INSUFFICIENT_FUNDS', 'INSUFFICIENT_HOLDINGS', 'NOT_TRADABLE',
      'KILL_SWITCH_ON'))
$$;

-- Writes what became of a waiting order, and its event.
CREATE FUNCTION ledger.book_waiting(a ledger.account, b ledger.orders, n ledger.orders,
    p_happening text, p_kind text, p_more text, p_command text, p_now timestamptz)
RETURNS ledger.orders LANGUAGE plpgsql AS $$
DECLARE o ledger.orders := n;
BEGIN
  SELECT t.next INTO STRICT o.status FROM ledger.order_transition t
    WHERE t.status = b.status AND t.happening = p_happening;
  IF NOT ledger.is_working(o.status) THEN a.open_orders := a.open_orders - 1; END IF;
  o.version := b.version + 1;
  o.updated_at := p_now;
  UPDATE ledger.orders x SET status = o.status, quantity = o.quantity, price = o.price,
    limit_price = o.limit_price, trigger_price = o.trigger_price, reserved = o.reserved,
    expires_at = o.expires_at, released_seq = o.released_seq, trade_date = o.trade_date,
    charge_rates = o.charge_rates, stance = o.stance, change_keys = o.change_keys, change_seqs = o.change_seqs,
    reason_code = o.reason_code, reason = o.reason, rules = o.rules, updated_at = o.updated_at,
    version = o.version, touched_at = clock_timestamp() WHERE x.order_id = o.order_id;
  a := ledger.append_event(a, p_kind, o.order_id, 0, ledger.rehold(b, o), 0, p_now,
    '"order":' || ledger.order_facts(o)::text || p_more, o.symbol, p_command);
  RETURN o;
END $$;

-- Whether a halt is among the rules: the broker's, of the account, the symbol or the market, or the
-- exchange's, of the whole market. What waits, and what the broker places for a client (a square-off, a
-- slice of a plan, a GTC order again), waits it out.
CREATE FUNCTION ledger.is_halted(p_rules jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
  SELECT EXISTS (SELECT FROM jsonb_array_elements(p_rules) r WHERE r ->> 'code' IN
    ('TRADING_HALTED', 'TRADING_REDUCING', 'MARKET_HALTED', 'ACCOUNT_HALTED', 'ACCOUNT_REDUCING',
      'SYMBOL_RESTRICTED'))
$$;

-- Whether an order that the broker places for a client is put off by these rules, not denied: all that he
-- halts, and a GTC order placed again by whatever doesn't end it.
CREATE FUNCTION ledger.is_put_off(o ledger.orders, p_rules jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
  SELECT o.client_order_id LIKE 'GTC-%' AND NOT ledger.ends_for_good(p_rules)
    OR (o.client_order_id LIKE 'SQ-%' OR o.client_order_id LIKE 'PL-%') AND ledger.is_halted(p_rules)
$$;

-- Whether an order that waits is put off by these rules, not ended: while a report awaits review, for its
-- account can't be judged then; while the broker halts it; and a GTC order by all but those that
-- end it.
CREATE FUNCTION ledger.waits_out(o ledger.orders, p_rules jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
  SELECT p_rules <> '[]' AND (p_rules @> '[{"code": "ACCOUNT_UNDER_REVIEW"}]'
    OR ledger.is_halted(p_rules)
    OR o.validity = 'GTC' AND NOT ledger.ends_for_good(p_rules))
$$;

-- Hands a waiting order to the venue, judged again on what is true now. p_limit_price, p_reserved and
-- p_charge_rates are what it is worth and costs on this day; p_price is the trade that reached its
-- trigger (null for a time), p_trigger a JSON object of what was seen.
-- outcome: RELEASED, DENIED (it has ended, the rules say why), PUT_OFF (it waits on: the rules are of
-- their moment), NOT_DUE, or NOT_WAITING: it isn't that version any more. Nothing is done then.
CREATE FUNCTION ledger.release_order(p_user bigint, p_order bigint, p_version integer,
    p_price bigint, p_limit_price bigint, p_reserved bigint, p_charge_rates bigint[],
    p_verdict text, p_trigger text,
    p_context text, p_today date, p_now timestamptz)
RETURNS TABLE (outcome text, order_facts text, rules text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE a ledger.account; b ledger.orders; h ledger.orders; o ledger.orders; v_rules jsonb;
  v_room bigint; v_waits boolean := false;
  v_more text := ',"trigger":' || p_trigger || ',"context":' || p_context || ',"charge_rates":'
    || array_to_json(p_charge_rates)::text;
BEGIN
  a := ledger.lock_account(p_user, p_today, p_now);
  SELECT * INTO b FROM ledger.orders x WHERE x.order_id = p_order AND x.user_id = p_user
    AND x.status = 'TRIGGER_PENDING' AND x.version = p_version;
  IF NOT FOUND OR NOT coalesce(ledger.is_due(b, p_price, p_now), false) THEN
    RETURN QUERY SELECT CASE WHEN b.order_id IS NULL THEN 'NOT_WAITING' ELSE 'NOT_DUE' END,
      NULL::text, '[]'::text;
    RETURN;
  END IF;
  h := b;
  IF b.leg IS NOT NULL THEN h.stance := 'LEADS'; END IF;  -- what its sibling keeps is for both
  o := h;
  o.status := 'PENDING';
  o.updated_at := p_now;
  o.limit_price := p_limit_price;
  o.reserved := p_reserved;
  o.charge_rates := p_charge_rates;
  IF o.product = 'CNC' THEN o.trade_date := p_today; END IF;  -- an intraday one lives on its day
  v_rules := p_verdict::jsonb || ledger.exit_rules(h);
  IF ledger.only_exits(b) AND v_rules = '[]' THEN
    v_room := ledger.exit_room(h);
    IF v_room < o.quantity THEN v_waits := ledger.make_way(b, p_today, p_now); END IF;
    IF v_waits OR v_room <= 0 THEN
      RETURN QUERY SELECT 'PUT_OFF'::text, NULL::text, jsonb_build_array(ledger.rule('EXIT_WAITS',
        'orders that close its position are at the exchange', o.quantity::text,
        greatest(0, v_room)::text, greatest(0, v_room)))::text;
      RETURN;
    END IF;
    o := ledger.resized_leg(o, least(o.quantity, v_room));
  END IF;
  v_rules := ledger.joined_rules(v_rules, ledger.release_rules(a, h, o));
  IF ledger.waits_out(b, v_rules) THEN
    RETURN QUERY SELECT 'PUT_OFF'::text, NULL::text, v_rules::text;
    RETURN;
  END IF;
  IF v_rules <> '[]' THEN
    o := b;
    o.rules := v_rules;
    o.reason_code := v_rules -> 0 ->> 'code';
    o.reason := v_rules -> 0 ->> 'message';
    o := ledger.book_waiting(a, b, o, 'DENIED', 'ORDER_RELEASE_DENIED', v_more, NULL, p_now);
    IF b.leg IS NOT NULL THEN PERFORM ledger.follow_leg(b, o, p_today, p_now); END IF;
  ELSE
    IF b.leg IS NOT NULL THEN a := ledger.stand_by(o, p_now); END IF;
    o.released_seq := a.seq + 1;
    -- The end of a DAY order is the venue's from now on; a leg may have to wait again.
    IF o.validity NOT IN ('TTL', 'GTC') AND o.leg IS NULL THEN o.expires_at := NULL; END IF;
    o := ledger.book_waiting(a, b, o, 'RELEASED', 'ORDER_RELEASED', v_more, ledger.order_command(o),
      p_now);
  END IF;
  RETURN QUERY SELECT CASE o.status WHEN 'DENIED' THEN 'DENIED' ELSE 'RELEASED' END,
    ledger.order_facts(o)::text, v_rules::text;
END $$;

-- Ends a waiting order whose time is over. True when it ended now.
CREATE FUNCTION ledger.expire_order(p_user bigint, p_order bigint, p_today date, p_now timestamptz)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE a ledger.account; b ledger.orders; o ledger.orders;
BEGIN
  a := ledger.lock_account(p_user, p_today, p_now);
  SELECT * INTO b FROM ledger.orders x WHERE x.order_id = p_order AND x.user_id = p_user
    AND x.status = 'TRIGGER_PENDING' AND x.expires_at <= p_now;
  IF NOT FOUND THEN RETURN false; END IF;
  o := b;
  o.reason_code := 'NOT_TRIGGERED';
  o.reason := 'what it waited for did not come in time';
  o := ledger.book_waiting(a, b, o, 'EXPIRED', 'ORDER_EXPIRED', '', NULL, p_now);
  IF o.leg IS NOT NULL THEN PERFORM ledger.follow_leg(b, o, p_today, p_now); END IF;
  RETURN true;
END $$;

-- An order cancelled by the change whose key is the first, with the reason where it was the broker who
-- asked (functions/orders/square_off.py), who cancelled it with another, its plan or its minutes.
CREATE FUNCTION ledger.with_cancel_reason(o ledger.orders) RETURNS ledger.orders
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  o.reason_code := NULL;  -- of a change that was refused before
  o.reason := NULL;
  IF starts_with(o.change_keys[1], 'cancel SQ-') THEN
    o.reason_code := 'SQUARED_OFF';
    o.reason := 'cancelled by the end-of-day square-off';
  ELSIF starts_with(o.change_keys[1], 'cancel leg:') THEN
    o.reason_code := 'SIBLING_CANCELLED';
    o.reason := 'the exit that it waited with was cancelled';
  ELSIF starts_with(o.change_keys[1], 'cancel TTL-') THEN
    o.reason_code := 'LIFE_OVER';
    o.reason := 'its minutes are over';
  ELSIF starts_with(o.change_keys[1], 'cancel kill:') THEN
    o.reason_code := 'KILL_SWITCH';
    o.reason := 'cancelled by your kill switch';
  ELSIF starts_with(o.change_keys[1], 'cancel late:') THEN
    o.reason_code := 'EXIT_REFITTED';
    o.reason := 'it was for more than there is to exit by now';
  ELSIF starts_with(o.change_keys[1], 'cancel exit:') THEN
    o.reason_code := 'EXIT_FIRED';
    o.reason := 'an exit of the position fired, and needs its shares';
  ELSIF starts_with(o.change_keys[1], 'cancel plan:') THEN  -- no id of a client's own has a colon
    o.reason_code := 'CANCELLED_BY_PLAN';
    o.reason := 'cancelled by the plan that placed it';
  END IF;
  RETURN o;
END $$;

-- request_change of an order that waits: done at once, nobody else has to agree. n is the order as it
-- is to be, with the request's key. Returns it as it then is.
CREATE FUNCTION ledger.change_waiting(a ledger.account, b ledger.orders, n ledger.orders,
    p_cancel boolean, p_today date, p_now timestamptz)
RETURNS ledger.orders LANGUAGE plpgsql AS $$
DECLARE o ledger.orders; v_more text := ',"change_key":' || to_json(n.change_keys[1])::text;
BEGIN
  IF p_cancel THEN
    o := ledger.book_waiting(a, b, ledger.with_cancel_reason(n), 'CANCELLED', 'ORDER_CANCELLED',
      v_more, NULL, p_now);
    PERFORM ledger.cancel_siblings(o, p_today, p_now);
    RETURN o;
  END IF;
  RETURN ledger.book_waiting(a, b, n, 'MODIFIED', 'ORDER_MODIFIED', v_more, NULL, p_now);
END $$;

GRANT EXECUTE ON FUNCTION ledger.release_order, ledger.expire_order TO outcry_app;
