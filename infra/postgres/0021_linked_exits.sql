-- Exits that wait together: a stop and a target of which one is to fill, and entries whose fills bring
-- such a pair to life. And the stop that follows the price.
--
-- Invariants kept here, under the account's lock:
--   * Of a group's two legs at most one is at the venue. One that waits LEADS (it keeps what either
--     will need) or FOLLOWS (it keeps nothing); while its sibling is at the venue it STANDS_BY, keeps
--     nothing and isn't due. Both legs that wait are for the same rest.
--   * What a leg fills leaves its sibling's rest in the transaction of the fill; a sibling without a
--     rest is cancelled, by the fill and never by the trigger.
--   * A leg that dies at the venue unasked waits again for the rest, as an order of its own with the
--     same trigger: that price is what the client wanted out at, and a sibling alone would leave the
--     other direction open. It dies so three times at most; then, and when our own rules deny it, its
--     sibling goes on alone. The end of the venue's day is no such death, but a DAY leg ends with it.
--   * No leg is for more than what is open to be exited as it goes to the venue. What closes an intraday
--     position by hand gives way to it there (0033_closing_by_hand.sql).
--   * What the venue filled beyond that (a fill of a leg that was said to be dead) is booked as a fact;
--     what is at the venue then is cancelled, and waits again for what is left.
--   * A trailing stop's trigger moves one way only, by a trade, to its distance from that trade, and by
--     no less than its step: the best price is in the order's row to within a step, whoever dies, and
--     an order has no more such events than the price has steps. It fires as every stop does.
-- A leg's number tells nothing of its group; the group's is its first stop's.

CREATE INDEX orders_linked ON ledger.orders (user_id, group_id) WHERE group_id IS NOT NULL;
CREATE INDEX orders_of_entry ON ledger.orders (user_id, parent_order_id) WHERE leg IS NOT NULL;

-- How often a leg of a group may die at the venue and wait again.
CREATE FUNCTION ledger.leg_deaths_max() RETURNS bigint LANGUAGE sql IMMUTABLE AS $$ SELECT 3::bigint $$;

-- Shares that an exit could still be for. Of a holding: what is in no open sell; what the exit itself
-- keeps is not in it. Of a position: what it has open the other way and no other exits wait for.
CREATE FUNCTION ledger.open_to_exit(o ledger.orders) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
BEGIN
  IF o.product = 'MIS' THEN RETURN ledger.open_of(o) - ledger.waited_for_beside(o); END IF;
  RETURN coalesce((SELECT h.quantity - h.open_sell - h.pledged FROM ledger.holding h
    WHERE h.user_id = o.user_id AND h.symbol = o.symbol), 0);
END $$;

-- The rule of an exit that goes to the venue: there must be something to exit. An array with or without.
CREATE FUNCTION ledger.exit_rules(o ledger.orders) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
BEGIN
  IF NOT ledger.only_exits(o) OR (CASE o.product WHEN 'MIS' THEN ledger.open_of(o)
      ELSE ledger.exit_room(o) END) > 0 THEN
    RETURN '[]';
  END IF;
  RETURN jsonb_build_array(ledger.rule('NOTHING_TO_EXIT', 'nothing is open to be exited',
    o.quantity::text, '0', 0));
END $$;

-- A leg that waits, for another quantity.
CREATE FUNCTION ledger.resized_leg(o ledger.orders, p_quantity bigint) RETURNS ledger.orders
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  o.reserved := ledger.part_of(o.reserved, p_quantity, o.quantity);
  o.quantity := p_quantity;
  RETURN o;
END $$;

-- A new leg for what an order is for: its terms are those of p_terms (JSON, names as the columns').
CREATE FUNCTION ledger.leg_of(o ledger.orders, p_terms jsonb, p_quantity bigint) RETURNS ledger.orders
LANGUAGE plpgsql AS $$
BEGIN
  o := ledger.resized_leg(jsonb_populate_record(o, p_terms), p_quantity);
  o.order_id := ledger.new_order_id(o.user_id);
  RETURN o;
END $$;

-- Places a leg, whatever the rules say by now: it was judged with what it belongs to. p_of: the order
-- that it is placed for. Returns the account after it, which the caller keeps.
CREATE FUNCTION ledger.place_leg(a ledger.account, n ledger.orders, p_cause text, p_of bigint,
    p_now timestamptz)
RETURNS ledger.account LANGUAGE plpgsql AS $$
DECLARE b ledger.orders; o ledger.orders := ledger.without_change(n);
BEGIN
  o.client_order_id := 'LEG:' || a.seq + 1;  -- no id of a client's own has a colon
  o.placed_seq := a.seq + 1;
  o.group_id := coalesce(o.group_id, o.order_id);
  o.status := 'TRIGGER_PENDING';
  o.filled_quantity := 0; o.traded_value := 0; o.charges := '{0,0,0,0,0,0,0}';
  o.request := 0; o.accepted_request := 0; o.change_keys := NULL; o.change_seqs := NULL;
  o.venue_order_id := NULL; o.released_seq := NULL; o.releases_at := NULL;
  o.disclosed_quantity := NULL; o.exits := NULL;
  o.reason_code := NULL; o.reason := NULL; o.rules := NULL;
  o.created_at := p_now; o.updated_at := p_now; o.touched_at := clock_timestamp(); o.version := 1;
  INSERT INTO ledger.orders SELECT (o).*;
  b := o;
  b.status := 'DENIED';
  a.open_orders := a.open_orders + 1;
  RETURN ledger.log_event(a, 'ORDER_PLACED', o.order_id, 0, ledger.rehold(b, o), 0, p_now,
    '"order":' || ledger.order_facts(o)::text || ',"context":' || o.context || ',"fingerprint":"'
      || encode(o.fingerprint, 'hex') || '","charge_rates":' || array_to_json(o.charge_rates)::text
      || ledger.cause(p_cause, p_of), o.symbol, NULL);
END $$;

-- Why an event of a leg came to be, and by which order: a member of its body.
CREATE FUNCTION ledger.cause(p_code text, p_of bigint) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT ',"cause":' || json_build_object('code', p_code, 'order_id', p_of)::text
$$;

-- The account as its latest event left it, for one whose lock is held.
CREATE FUNCTION ledger.locked_account(p_user bigint) RETURNS ledger.account LANGUAGE sql STABLE AS $$
  SELECT a FROM ledger.account a WHERE a.user_id = p_user
$$;

-- Changes a leg that waits (p_happening MODIFIED), or ends it.
CREATE FUNCTION ledger.book_leg(b ledger.orders, n ledger.orders, p_happening text, p_cause text,
    p_of bigint, p_now timestamptz)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE o ledger.orders := n;
BEGIN
  IF p_happening <> 'MODIFIED' THEN
    o.reason_code := p_cause;
    o.reason := CASE p_cause WHEN 'SIBLING_FILLED' THEN 'the exit that it waited with filled'
      WHEN 'NOTHING_TO_EXIT' THEN 'nothing is open to be exited'
      WHEN 'ENTRY_BUSTED' THEN 'the exchange took back the trade that it was to exit'
      WHEN 'POSITION_CLOSED' THEN 'the position that it was to exit was closed'
      ELSE 'what it waited for did not come in time' END;
  END IF;
  PERFORM ledger.book_waiting(ledger.locked_account(b.user_id), b, o, p_happening,
    'ORDER_' || p_happening, ledger.cause(p_cause, p_of), NULL, p_now);
END $$;

-- The leg that waits beside one, or no row.
CREATE FUNCTION ledger.waiting_sibling(o ledger.orders) RETURNS SETOF ledger.orders
LANGUAGE sql STABLE AS $$
  SELECT x.* FROM ledger.orders x WHERE x.user_id = o.user_id AND x.group_id = o.group_id
    AND x.order_id <> o.order_id AND x.status = 'TRIGGER_PENDING'
$$;

-- The sibling of a leg that is about to go to the venue waits until that one has ended, for as much as
-- it is for. Returns the account after it.
CREATE FUNCTION ledger.stand_by(o ledger.orders, p_now timestamptz) RETURNS ledger.account
LANGUAGE plpgsql AS $$
DECLARE s ledger.orders; n ledger.orders;
BEGIN
  SELECT * INTO s FROM ledger.waiting_sibling(o);
  IF FOUND THEN
    n := ledger.resized_leg(s, o.quantity);
    n.stance := 'STANDS_BY';
    PERFORM ledger.book_leg(s, n, 'MODIFIED', 'SIBLING_FIRED', o.order_id, p_now);
  END IF;
  RETURN ledger.locked_account(o.user_id);
END $$;

-- Whoever cancels a leg cancels its sibling, at the venue too: o knows the cancel by its first key.
-- Nothing for another order.
CREATE FUNCTION ledger.cancel_siblings(o ledger.orders, p_today date, p_now timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE v_request text := split_part(o.change_keys[1], ' ', 2); v_sibling bigint;
BEGIN
  -- A cancel of all orders comes to the sibling by itself.
  IF o.leg IS NULL OR v_request LIKE 'leg:%' OR v_request LIKE 'late:%' OR v_request LIKE 'all:%' THEN
    RETURN;
  END IF;
  FOR v_sibling IN SELECT x.order_id FROM ledger.orders x WHERE x.user_id = o.user_id
    AND x.group_id = o.group_id AND x.order_id <> o.order_id AND ledger.is_working(x.status)
  LOOP
    PERFORM ledger.request_change(o.user_id, v_sibling, 'leg:' || v_request, '', NULL, NULL, NULL,
      NULL, '[]', p_today, p_now, NULL, 0);
  END LOOP;
END $$;

-- Whether a leg that went from b to n waits again; s: its sibling that waits, all null without one. A
-- leg that anybody asked to cancel doesn't, unless it was we, for the rest that is right.
CREATE FUNCTION ledger.waits_again(b ledger.orders, n ledger.orders, s ledger.orders,
    p_now timestamptz)
RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN b.status <> 'TRIGGER_PENDING' AND n.status IN ('REJECTED', 'CANCELLED', 'EXPIRED')
    AND n.filled_quantity < n.quantity AND n.expires_at > p_now
    AND NOT (n.status = 'EXPIRED' AND n.validity = 'DAY')
    AND NOT EXISTS (SELECT FROM unnest(n.change_keys) AS k (key) WHERE k.key LIKE 'cancel %'
      AND k.key NOT LIKE 'cancel late:%')
    AND (s.order_id IS NOT NULL OR ledger.rest_alone(n) > 0)
    AND (SELECT count(*) FROM ledger.orders x WHERE x.user_id = n.user_id AND x.group_id = n.group_id
      AND x.leg = n.leg AND x.status IN ('REJECTED', 'CANCELLED')) <= ledger.leg_deaths_max();
END $$;

-- What the change of a leg from b to n means for its group; the change itself is booked.
CREATE FUNCTION ledger.follow_leg(b ledger.orders, n ledger.orders, p_today date, p_now timestamptz)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE s ledger.orders; v_filled bigint := n.filled_quantity - b.filled_quantity;
BEGIN
  IF v_filled > 0 THEN
    FOR s IN SELECT x.* FROM ledger.orders x WHERE x.user_id = n.user_id AND x.group_id = n.group_id
      AND x.order_id <> n.order_id AND ledger.is_working(x.status) ORDER BY x.order_id
    LOOP
      IF s.status <> 'TRIGGER_PENDING' THEN
        PERFORM ledger.cancel_late(n, s, p_today, p_now);
      ELSIF v_filled >= s.quantity THEN
        PERFORM ledger.book_leg(s, s, 'CANCELLED', 'SIBLING_FILLED', n.order_id, p_now);
      ELSE
        PERFORM ledger.book_leg(s, ledger.resized_leg(s, s.quantity - v_filled), 'MODIFIED',
          'SIBLING_FILLED', n.order_id, p_now);
      END IF;
    END LOOP;
  ELSIF v_filled < 0 THEN
    PERFORM ledger.restore_exits(b, n, p_today, p_now);
  END IF;
  IF ledger.is_working(b.status) AND NOT ledger.is_working(n.status) THEN
    SELECT * INTO s FROM ledger.waiting_sibling(n);
    PERFORM ledger.follow_ended_leg(b, n, s, p_now);
  END IF;
END $$;

-- What comes after a leg that has ended: it waits again, or its sibling s goes on alone.
CREATE FUNCTION ledger.follow_ended_leg(b ledger.orders, n ledger.orders, s ledger.orders,
    p_now timestamptz)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE o ledger.orders := n; t ledger.orders := s; v_again boolean;
BEGIN
  v_again := ledger.waits_again(b, n, s, p_now);
  IF v_again THEN
    o := ledger.leg_of(n, '{"stance": "LEADS"}', CASE WHEN s.order_id IS NULL
      THEN ledger.rest_alone(n) ELSE s.quantity END);
    PERFORM ledger.keep_account(ledger.place_leg(ledger.locked_account(n.user_id), o, 'WAITS_AGAIN',
      n.order_id, p_now));
  END IF;
  IF s.order_id IS NULL THEN RETURN; END IF;
  t.stance := CASE WHEN v_again THEN 'FOLLOWS' ELSE 'LEADS' END;
  IF n.reason_code = 'NOTHING_TO_EXIT' THEN
    PERFORM ledger.book_leg(s, s, 'CANCELLED', 'NOTHING_TO_EXIT', n.order_id, p_now);
  ELSIF s.expires_at <= p_now THEN
    PERFORM ledger.book_leg(s, s, 'EXPIRED', 'NOT_TRIGGERED', n.order_id, p_now);
  ELSIF t.stance <> s.stance THEN
    PERFORM ledger.book_leg(s, t, 'MODIFIED', CASE WHEN v_again THEN 'SIBLING_WAITS_AGAIN'
      ELSE 'SIBLING_ENDED' END, n.order_id, p_now);
  END IF;
END $$;

-- A fill of an entry: its exits are for that much more. The pair that nothing has happened to grows; if
-- there is none, because there never was or one of its legs has gone to the venue or ended, a new one
-- waits for this fill.
CREATE FUNCTION ledger.grow_exits(n ledger.orders, p_quantity bigint, p_now timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE o ledger.orders := n; s ledger.orders; v_group bigint; v_terms jsonb;
BEGIN
  IF (n.exits -> 0 ->> 'expires_at')::timestamptz <= p_now THEN RETURN; END IF;
  SELECT x.group_id INTO v_group FROM ledger.orders x
    WHERE x.user_id = n.user_id AND x.parent_order_id = n.order_id AND x.leg IS NOT NULL
    GROUP BY x.group_id HAVING count(*) = 2 AND bool_and(x.status = 'TRIGGER_PENDING')
    ORDER BY x.group_id DESC LIMIT 1;
  FOR s IN SELECT x.* FROM ledger.orders x WHERE x.user_id = n.user_id AND x.group_id = v_group
    ORDER BY x.order_id
  LOOP
    PERFORM ledger.book_leg(s, ledger.resized_leg(s, s.quantity + p_quantity), 'MODIFIED',
      'ENTRY_FILLED', n.order_id, p_now);
  END LOOP;
  IF v_group IS NOT NULL THEN RETURN; END IF;
  o.parent_order_id := n.order_id;
  FOR v_terms IN SELECT x.value FROM jsonb_array_elements(n.exits) WITH ORDINALITY x ORDER BY x.ordinality
  LOOP
    s := ledger.leg_of(o, v_terms, p_quantity);
    o.group_id := coalesce(o.group_id, s.order_id);  -- the first is the stop
    s.group_id := o.group_id;
    PERFORM ledger.keep_account(ledger.place_leg(ledger.locked_account(n.user_id), s, 'ENTRY_FILLED',
      n.order_id, p_now));
  END LOOP;
END $$;

-- What a report means for the exits of the order that it changed from b, in its own transaction.
CREATE FUNCTION ledger.follow_exits(b ledger.orders, p_today date, p_now timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE n ledger.orders; v_more bigint;
BEGIN
  SELECT * INTO n FROM ledger.orders x WHERE x.order_id = b.order_id;
  IF n.leg IS NOT NULL THEN
    PERFORM ledger.follow_leg(b, n, p_today, p_now);
    RETURN;
  ELSIF n.filled_quantity = b.filled_quantity THEN
    RETURN;
  END IF;
  v_more := least(n.filled_quantity - b.filled_quantity, ledger.exits_lack(n));
  IF n.filled_quantity > b.filled_quantity AND v_more > 0 THEN
    PERFORM ledger.grow_exits(n, v_more, p_now);
  ELSIF n.filled_quantity < b.filled_quantity THEN  -- of what it filled some was taken back
    PERFORM ledger.shrink_exits(n, ledger.exits_beside(n), -ledger.exits_lack(n), 'ENTRY_BUSTED',
      p_today, p_now);
  END IF;
END $$;

-- The trigger of a trailing stop after a trade: that of before until the trade is a step better.
CREATE FUNCTION ledger.trailed(o ledger.orders, p_price bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN o.trigger_above AND p_price + o.trail <= o.trigger_price - o.trail_step
      THEN p_price + o.trail
    WHEN NOT o.trigger_above AND p_price - o.trail >= o.trigger_price + o.trail_step
      THEN p_price - o.trail
    ELSE o.trigger_price END
$$;

-- Moves the trigger of a trailing stop that waits, as that version, by a trade (p_seen: the JSON object
-- of what was seen). True when it moved now.
CREATE FUNCTION ledger.trail_order(p_user bigint, p_order bigint, p_version integer, p_price bigint,
    p_seen text, p_today date, p_now timestamptz)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE a ledger.account; b ledger.orders; n ledger.orders;
BEGIN
  a := ledger.lock_account(p_user, p_today, p_now);
  SELECT * INTO b FROM ledger.orders x WHERE x.order_id = p_order AND x.user_id = p_user
    AND x.status = 'TRIGGER_PENDING' AND x.version = p_version AND x.trail IS NOT NULL;
  n := b;
  n.trigger_price := ledger.trailed(b, p_price);
  IF b.order_id IS NULL OR n.trigger_price = b.trigger_price THEN RETURN false; END IF;
  PERFORM ledger.book_waiting(a, b, n, 'MODIFIED', 'ORDER_MODIFIED',
    ',"trigger":' || p_seen || ledger.cause('TRAILED', p_order), NULL, p_now);
  RETURN true;
END $$;

GRANT EXECUTE ON FUNCTION ledger.trail_order TO outcry_app;
